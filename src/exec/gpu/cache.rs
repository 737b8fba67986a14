//! The cache of compiled kernels on disk, on backends that have one (Vulkan).
//!
//! wgpu passes the data to the driver almost unchecked, so the file begins with a checksum: an incomplete or foreign
//! file is ignored. A missing cache never fails a run; kernels are compiled again.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

use super::device::Gpu;

/// First bytes of a cache file.
const MAGIC: &[u8; 8] = b"sgcache1";
/// Largest size of the file, in bytes. Drivers never drop a kernel, so a larger file is discarded.
const MAX_BYTES: u64 = 256 << 20;

/// wgpu's cache and its file.
pub(super) struct DiskCache {
    raw: Option<(wgpu::PipelineCache, PathBuf)>,
}

impl DiskCache {
    /// Reads the cache of this device from `folder`.
    pub fn open(gpu: &Gpu, folder: Option<&Path>) -> Self {
        let name = wgpu::util::pipeline_cache_key(&gpu.adapter).filter(|_| gpu.info.pipeline_cache);
        let (Some(folder), Some(name)) = (folder, name) else {
            return DiskCache { raw: None };
        };
        let path = folder.join(name).with_extension("bin");
        let data = read(&path);
        let descriptor =
            wgpu::PipelineCacheDescriptor { label: Some("shadegrad"), data: data.as_deref(), fallback: true };
        // SAFETY: `save` wrote the data as this backend returned it, and its checksum is right. wgpu and the driver
        // then compare adapter and driver version.
        let cache = gpu.scoped(|| unsafe { gpu.device.create_pipeline_cache(&descriptor) });
        DiskCache { raw: cache.ok().map(|cache| (cache, path)) }
    }

    /// For `ComputePipelineDescriptor::cache`.
    pub fn raw(&self) -> Option<&wgpu::PipelineCache> {
        self.raw.as_ref().map(|(cache, _)| cache)
    }

    /// Writes the file atomically.
    pub fn save(&self) {
        let Some((cache, path)) = &self.raw else { return };
        if let Some(data) = cache.get_data() {
            // A failure, such as a full disk, only costs the next start some time.
            let _ = write(path, &data);
        }
    }
}

/// The content of a file that [`write`] wrote, if its checksum is right.
pub(super) fn read(path: &Path) -> Option<Vec<u8>> {
    if fs::metadata(path).ok()?.len() > MAX_BYTES {
        return None;
    }
    let file = fs::read(path).ok()?;
    let (sum, data) = file.strip_prefix(MAGIC)?.split_first_chunk::<8>()?;
    (u64::from_le_bytes(*sum) == checksum(data)).then(|| data.to_vec())
}

/// Writes a file with a checksum atomically.
pub(super) fn write(path: &Path, data: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let partial = path.with_extension(format!("{}.partial", process::id()));
    let file = [MAGIC.as_slice(), &checksum(data).to_le_bytes(), data].concat();
    let written = fs::write(&partial, file).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        let _ = fs::remove_file(&partial);
    }
    written
}

/// FNV-1a, 64 bits.
pub(super) fn checksum(data: &[u8]) -> u64 {
    data.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// Folder of caches: `SHADEGRAD_CACHE_DIR`, else the user's cache folder. `None` if the variable is set and empty.
pub fn default_cache_dir() -> Option<PathBuf> {
    let var = |name| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    if env::var_os("SHADEGRAD_CACHE_DIR").is_some() {
        return var("SHADEGRAD_CACHE_DIR");
    }
    let base = if cfg!(windows) {
        var("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        var("HOME").map(|home| home.join("Library/Caches"))
    } else {
        // The XDG specification says to ignore relative paths.
        var("XDG_CACHE_HOME").filter(|p| p.is_absolute()).or_else(|| var("HOME").map(|home| home.join(".cache")))
    };
    base.map(|base| base.join("shadegrad"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_files_of_our_own_are_read() {
        let folder = env::temp_dir().join(format!("shadegrad-cache-{}", process::id()));
        let path = folder.join("deeper").join("key.bin");
        assert_eq!(read(&path), None);
        write(&path, b"compiled kernels").unwrap();
        assert_eq!(read(&path).as_deref(), Some(b"compiled kernels".as_slice()));
        let good = fs::read(&path).unwrap();
        let mut flipped = good.clone();
        flipped[20] ^= 1;
        let foreign = [b"WGPUPLCH".as_slice(), &good[8..]].concat();
        for bad in [&good[..good.len() - 1], &good[..12], &[], flipped.as_slice(), foreign.as_slice()] {
            fs::write(&path, bad).unwrap();
            assert_eq!(read(&path), None);
        }
        write(&path, b"").unwrap();
        assert_eq!(read(&path).as_deref(), Some(b"".as_slice()));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing partial stays behind");
        fs::remove_dir_all(folder).unwrap();
    }
}
