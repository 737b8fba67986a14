//! Runs the command line in a temporary folder with generated images, and checks its output.
#![allow(dead_code, reason = "each test file uses a part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::{Rgb, RgbImage};
use shadegrad::interop::safetensors::TensorFile;
use shadegrad::run::{EpochRow, RunDir};
use tempfile::TempDir;

/// Classes of the test images, in the order of their labels.
pub const CLASSES: [&str; 3] = ["disc", "grass", "stripes"];

/// `train classify` of the small network on the photos, which takes a second. A test appends flags.
pub const TRAIN: &str = "train classify --data photos --model cnn --image-size 32 --device cpu";

/// `train classify` of ResNet18 on the photos, for tests of its layers and names. Its checkpoints have 130 MB.
pub const RESNET: &str = "train classify --data photos --image-size 32 --device cpu";

/// A temporary folder, the working directory of every command run in it.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Place { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A place with the folder `photos` of three classes.
    pub fn with_photos(per_class: u32) -> Self {
        let place = Self::new();
        place.photos("photos", &CLASSES, per_class);
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("writes");
    }

    pub fn folder(&self, name: &str) {
        fs::create_dir_all(self.path(name)).expect("makes a folder");
    }

    /// Names in a folder, sorted, without the mark of folders that shadegrad wrote.
    pub fn list(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(name)).expect("lists");
        let mut names: Vec<_> = entries.map(|e| e.expect("lists").file_name().into_string().expect("UTF-8")).collect();
        names.retain(|name| name != ".shadegrad");
        names.sort();
        names
    }

    /// Class folders of easily separated pictures, PNG and JPEG of several sizes.
    pub fn photos(&self, root: &str, classes: &[&str], per_class: u32) {
        for class in classes {
            self.folder(&format!("{root}/{class}"));
            for index in 0..per_class {
                let kind = if index % 2 == 0 { "png" } else { "jpg" };
                let path = self.path(&format!("{root}/{class}/{index:02}.{kind}"));
                picture(class, index).save(path).expect("writes an image");
            }
        }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shadegrad"));
        command.args(line.split_whitespace()).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Runs `shadegrad LINE`.
    pub fn run(&self, line: &str) -> Outcome {
        self.run_with(line, &[])
    }

    /// [`Place::run`] with environment variables.
    pub fn run_with(&self, line: &str, environment: &[(&str, &str)]) -> Outcome {
        let output = self.command(line).envs(environment.iter().copied()).output().expect("starts");
        Outcome::new(line, &output)
    }

    /// Starts `shadegrad LINE` with piped output and does not wait.
    pub fn start(&self, line: &str) -> std::process::Child {
        self.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts")
    }

    #[cfg(unix)]
    fn shell(&self, before: &str, line: &str) -> Command {
        let script = format!("{before} exec '{}' {line}", env!("CARGO_BIN_EXE_shadegrad"));
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).current_dir(self.folder.path()).stdin(Stdio::null());
        shell
    }

    /// Runs `shadegrad LINE` in a shell after `before`. Redirections work.
    #[cfg(unix)]
    pub fn run_in_shell(&self, before: &str, line: &str) -> Outcome {
        Outcome::new(line, &self.shell(before, line).output().expect("starts a shell"))
    }

    /// [`Place::run_in_shell`] with piped output, without waiting.
    #[cfg(unix)]
    pub fn start_in_shell(&self, before: &str, line: &str) -> std::process::Child {
        use std::os::unix::process::CommandExt;

        use nix::sys::signal::{SigHandler, Signal, signal};

        let mut shell = self.shell(before, line);
        // A suite under `nohup` ignores hangups, and so would its children.
        // SAFETY: `signal` is safe between fork and exec, and the default handler runs no code of this process.
        unsafe {
            shell.pre_exec(|| Ok(signal(Signal::SIGHUP, SigHandler::SigDfl).map(|_| ())?));
        }
        shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts a shell")
    }

    /// The tensors and metadata of a checkpoint.
    pub fn checkpoint(&self, name: &str) -> TensorFile {
        TensorFile::read(&self.path(name)).expect("a readable checkpoint")
    }

    /// The epochs in a run's `metrics.csv`.
    pub fn metrics(&self, run: &str) -> Vec<EpochRow> {
        RunDir::open(&self.path(run)).expect("a run").read_metrics().expect("metrics")
    }
}

/// Exit code and output of a command.
pub struct Outcome {
    line: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn new(line: &str, output: &Output) -> Self {
        // Paths have the separators of Unix on every system. JSON doubles those of Windows.
        let slashed = |text: String| if cfg!(windows) { text.replace("\\\\", "/").replace('\\', "/") } else { text };
        let text = |bytes: &[u8]| slashed(String::from_utf8_lossy(bytes).into_owned());
        let outcome = Outcome {
            line: line.into(),
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        };
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.described());
        outcome
    }

    fn described(&self) -> String {
        format!("shadegrad {}\nexit code {:?}\n{}\n{}", self.line, self.code, self.stdout, self.stderr)
    }

    /// Requires exit code 0.
    pub fn fine(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.described());
        self
    }

    /// Requires exit code 2 and an error that contains all `parts`.
    pub fn refused(self, parts: &[&str]) -> Self {
        assert_eq!(self.code, Some(2), "{}", self.described());
        let error = self.stderr.find("error: ").map_or("", |at| &self.stderr[at..]);
        for part in parts {
            assert!(error.contains(part), "no `{part}` in the error of {}", self.described());
        }
        self
    }

    /// Requires all `parts` in the standard output.
    pub fn printed(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stdout.contains(part), "no `{part}` in the output of {}", self.described());
        }
        self
    }

    /// The number before `unit` in the output.
    pub fn number_before(&self, unit: &str) -> f64 {
        let before = self.stdout.split(unit).next().unwrap_or_default();
        let word = before.split_whitespace().last().unwrap_or_default();
        word.parse().unwrap_or_else(|_| panic!("no number before `{unit}` in {}", self.described()))
    }
}

/// A picture of a class. A class has its colors and pattern. `index` varies size, shade and position.
fn picture(class: &str, index: u32) -> RgbImage {
    let (width, height) = (36 + index % 5, 34 + index % 7);
    let shade = (10 * (index % 6)) as u8;
    RgbImage::from_fn(width, height, |x, y| match class {
        "disc" => {
            let (dx, dy) = (x as i32 - 18 - (index % 3) as i32, y as i32 - 17);
            if dx * dx + dy * dy < 120 { Rgb([230 - shade, 40, 30]) } else { Rgb([20, 30 + shade, 90]) }
        }
        "grass" => Rgb([30 + shade / 2, 150 + ((x * 7 + y * 13 + index) % 60) as u8, 40]),
        _ if (x / 4 + index).is_multiple_of(2) => Rgb([245 - shade, 245 - shade, 245]),
        _ => Rgb([12, 12, 12 + shade]),
    })
}

/// Compares two files. A failure names the first differing byte instead of printing megabytes.
pub fn assert_same_bytes(what: &str, a: &Path, b: &Path) {
    let (a_bytes, b_bytes) = (fs::read(a).expect("reads"), fs::read(b).expect("reads"));
    assert_eq!(a_bytes.len(), b_bytes.len(), "{what}: lengths differ");
    let differs = a_bytes.iter().zip(&b_bytes).position(|(a, b)| a != b);
    assert_eq!(differs, None, "{what}: first differing byte");
}
