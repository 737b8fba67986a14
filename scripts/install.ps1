# Installs the command shadegrad from its release archive, after a check of its checksum.
#
#   powershell -c "irm https://github.com/shadegrad/shadegrad/releases/latest/download/install.ps1 | iex"
#
# $env:SHADEGRAD_BIN        folder of the command, by default %LOCALAPPDATA%\Programs\shadegrad
# $env:SHADEGRAD_VERSION    version, by default the one of this script
# $env:SHADEGRAD_RELEASES   address above the version's folder, for mirrors
$ErrorActionPreference = "Stop"
$version = if ($env:SHADEGRAD_VERSION) { $env:SHADEGRAD_VERSION } else { "0.1.0" }
$releases = if ($env:SHADEGRAD_RELEASES) { $env:SHADEGRAD_RELEASES } else { "https://github.com/shadegrad/shadegrad/releases/download" }
$bin = if ($env:SHADEGRAD_BIN) { $env:SHADEGRAD_BIN } else { "$env:LOCALAPPDATA\Programs\shadegrad" }
if ($env:PROCESSOR_ARCHITECTURE -ne "AMD64") {
    throw "There is no archive for $env:PROCESSOR_ARCHITECTURE; build it with: cargo install --locked shadegrad"
}
$name = "shadegrad-$version-x86_64-pc-windows-msvc"
$place = New-Item -ItemType Directory -Path (Join-Path ([IO.Path]::GetTempPath()) ([Guid]::NewGuid()))
try {
    foreach ($file in "$name.zip", "$name.zip.sha256") {
        Invoke-WebRequest -UseBasicParsing "$releases/v$version/$file" -OutFile "$place\$file"
    }
    $expected = (Get-Content "$place\$name.zip.sha256").Split(" ")[0]
    $found = (Get-FileHash -Algorithm SHA256 "$place\$name.zip").Hash.ToLower()
    if ($found -ne $expected) {
        throw "The archive does not have its checksum: it is damaged, or was changed on its way. Nothing was installed."
    }
    Expand-Archive "$place\$name.zip" -DestinationPath $place
    New-Item -ItemType Directory -Force -Path $bin | Out-Null
    Copy-Item -Force "$place\$name\*" $bin -Recurse
    Write-Output "installed: $bin\shadegrad.exe ($(& "$bin\shadegrad.exe" --version))"
    $path = [Environment]::GetEnvironmentVariable("Path", "User")
    if (";$path;" -notlike "*;$bin;*") {
        [Environment]::SetEnvironmentVariable("Path", "$path;$bin", "User")
        Write-Output "note: $bin was added to your path; open a new terminal"
    }
} finally {
    Remove-Item -Recurse -Force $place
}
