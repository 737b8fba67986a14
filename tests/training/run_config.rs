//! The settings of a run: flags override the file, and the file overrides defaults. Errors have a remedy.

use std::fs;
use std::path::{Path, PathBuf};

use shadegrad::internals::cli::flags;
use shadegrad::internals::setting::Setting;
use shadegrad::run::ImageSize;
use shadegrad::tasks::Task;
use shadegrad::tasks::classify::{Classify, ClassifyConfig};
use shadegrad::tasks::colorize::{Colorize, ColorizeConfig};
use shadegrad::tasks::segment::{Segment, SegmentConfig};
use shadegrad::train::Schedule;
use shadegrad::train::settings::{ConfigError, Given, Normalize, Optimizer, Origin, TaskSettings};

fn flags(line: &str) -> Given {
    let words = std::iter::once("classify").chain(line.split_whitespace());
    let matches = flags::command(&Classify).try_get_matches_from(words).expect("flags parse");
    flags::given(ClassifyConfig::SETTINGS, &matches).expect("values that a file can hold")
}

/// Writes a config file with this text, and returns its folder and path.
fn config(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("run.toml");
    fs::write(&path, text).expect("writes");
    (folder, path)
}

#[test]
fn flags_win_over_the_file_and_the_file_over_the_defaults() {
    let (_folder, path) = config("lr = 1\nepochs = 3\nnormalize = \"none\"\nshuffle = false\ndata = \"photos\"\n");
    let mut given = flags("--lr 0.25 --optimizer sgd --nesterov --skip-bad --loader-threads 4");
    given.config = Some(path);
    let config = ClassifyConfig::resolve(&given).expect("valid");
    let expected = ClassifyConfig {
        lr: 0.25,
        optimizer: Optimizer::Sgd,
        nesterov: true,
        skip_bad: true,
        loader_threads: 4,
        epochs: 3,
        normalize: Normalize::None,
        shuffle: false,
        data: Some("photos".into()),
        schedule: Some(Schedule::Constant),
        warmup: Some(0.0),
        ..ClassifyConfig::default()
    };
    assert_eq!(config, expected);
}

#[test]
fn every_setting_has_a_flag() {
    let line = "--data d --model resnet18 --epochs 2 --batch-size 4 --optimizer sgd --lr 0.1 --momentum 0.5 \
        --weight-decay 0.01 --clip 1 --label-smoothing 0.1 --normalize imagenet --image-size 32 --stem cifar \
        --val-split 0.5 --seed 7 --device cpu --out o --init i.safetensors --shuffle false --config c.toml";
    let given = flags(line);
    assert_eq!(given.settings["shuffle"], false.into());
    assert_eq!((&given.settings["seed"], &given.settings["init"]), (&7.into(), &"i.safetensors".into()));
    assert_eq!(given.config, Some("c.toml".into()));
}

#[test]
fn the_written_settings_read_back_the_same() {
    let line =
        "--data a\"b --out o --init i --lr 1e-4 --clip 0.5 --optimizer sgd --nesterov --seed 9223372036854775807";
    let settings = ClassifyConfig::resolve(&flags(line)).expect("valid");
    for settings in [settings, ClassifyConfig::default()] {
        let (_folder, path) = config(&settings.to_toml().expect("TOML"));
        let of_run = settings.settings().schedule;
        let resolved = ClassifyConfig { schedule: Some(of_run.kind), warmup: Some(of_run.warmup), ..settings };
        assert_eq!(ClassifyConfig::from_file(&path).expect("reads"), resolved);
    }
}

#[test]
fn the_learning_rate_falls_for_scenes_and_is_constant_for_data_unless_set() {
    let of = |line: &str| ClassifyConfig::resolve(&flags(line)).expect("valid").settings().schedule;
    assert_eq!((of("").kind, of("--data d").kind), (Schedule::Cosine, Schedule::Constant));
    assert_eq!(of("--schedule constant").kind, Schedule::Constant);
    assert_eq!(of("--data d --schedule one-cycle").kind, Schedule::OneCycle);
    let multistep = of("--schedule multistep --milestones 3,7 --gamma 0.5 --warmup 0.5");
    assert_eq!((multistep.milestones, multistep.gamma, multistep.warmup), (vec![3, 7], 0.5, 0.5));
    let refused = ClassifyConfig::resolve(&flags("--schedule multistep")).expect_err("no milestones").to_string();
    assert!(refused.contains("milestones"), "{refused}");
}

#[test]
fn settings_that_a_resumed_run_would_ignore_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("config.toml"), "epochs = 4\n").expect("writes");
    let run = folder.path().display();
    for (other, key) in [("--config mine.toml", "config = mine.toml"), ("--out o", "out = o"), ("--init i", "init = i")]
    {
        let error = ClassifyConfig::resolve(&flags(&format!("--resume {run} {other}"))).expect_err(key).to_string();
        assert!(error.contains(key) && error.contains("a resumed run"), "{error}");
    }
    let resumed = ClassifyConfig::resolve(&flags(&format!("--resume {run} --out {run} --lr 0.5"))).expect("valid");
    assert_eq!((resumed.epochs, resumed.lr), (4, 0.5));
}

/// Dropping such a path silently would change the run.
#[cfg(unix)]
#[test]
fn a_path_that_toml_cannot_hold_is_an_error() {
    use std::os::unix::ffi::OsStringExt;

    let path = PathBuf::from(std::ffi::OsString::from_vec(b"caf\xe9".to_vec()));
    let settings = ClassifyConfig { data: Some(path), ..ClassifyConfig::default() };
    let error = settings.to_toml().expect_err("not Unicode").to_string();
    assert!(error.contains("config.toml") && error.contains("valid Unicode"), "{error}");
}

fn check_help(task: &dyn Task, settings: &[Setting], defaults: &str) {
    let (command, written) = (flags::command(task), defaults.parse::<toml::Table>().expect("TOML"));
    for Setting { key, .. } in settings {
        let flag = key.replace('_', "-");
        let argument = command.get_arguments().find(|a| a.get_long() == Some(&flag)).expect(key);
        let help = argument.get_help().expect(key).to_string();
        if let Some(value) = written.get(*key) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let ends = [format!("[default: {value}]"), format!("[default: chosen with --data, else {value}]")];
            assert!(ends.iter().any(|end| help.ends_with(end)), "--{flag}: {help} but is {value}");
        }
    }
}

#[test]
fn help_states_the_true_defaults() {
    check_help(&Classify, ClassifyConfig::SETTINGS, &ClassifyConfig::default().to_toml().expect("TOML"));
    check_help(&Segment, SegmentConfig::SETTINGS, &SegmentConfig::default().to_toml().expect("TOML"));
    check_help(&Colorize, ColorizeConfig::SETTINGS, &ColorizeConfig::default().to_toml().expect("TOML"));
}

#[test]
fn dense_tasks_read_their_settings_back() {
    let (_folder, path) =
        config("image_size = \"48x64\"\nloss = \"ce+dice\"\nclass_weights = \"median\"\nskips = false\n");
    let segment = SegmentConfig::from_file(&path).expect("valid");
    assert_eq!(segment.image_size, ImageSize { height: 48, width: 64 });
    let (_folder, path) = config(&segment.to_toml().expect("TOML"));
    assert_eq!(SegmentConfig::from_file(&path).expect("valid"), segment);
    let (_folder, path) = config("image_size = 64\ncolor_space = \"rgb\"\nloss = \"huber\"\n");
    let colorize = ColorizeConfig::from_file(&path).expect("valid");
    assert_eq!(colorize.image_size, ImageSize { height: 64, width: 64 });
    let (_folder, path) = config(&colorize.to_toml().expect("TOML"));
    assert_eq!(ColorizeConfig::from_file(&path).expect("valid"), colorize);
    for (text, key) in [("image_size = \"0x64\"", "image_size"), ("base = 0", "base"), ("depth = 9", "depth")] {
        let (_folder, path) = config(text);
        let message = SegmentConfig::from_file(&path).expect_err(text).to_string();
        assert!(message.contains("run.toml") && message.contains(key), "{message}");
    }
    let (_folder, path) = config("image_size = \"64by64\"");
    let message = SegmentConfig::from_file(&path).expect_err("no size").to_string();
    assert!(message.contains("line 1") && message.contains("HEIGHTxWIDTH"), "{message}");
}

#[test]
fn an_unknown_key_suggests_the_nearest() {
    for (written, nearest) in [
        ("batchsize", Some("batch_size")),
        ("batch-size", Some("batch_size")),
        ("optimiser", Some("optimizer")),
        ("Epoch", Some("epochs")),
        ("normalise", Some("normalize")),
        ("zzz", None),
    ] {
        let (_folder, path) = config(&format!("epochs = 2\n\"{written}\" = 1\n"));
        let error = ClassifyConfig::from_file(&path).expect_err("unknown key");
        let ConfigError::UnknownKey { nearest: found, .. } = &error else { panic!("{error:?}") };
        assert_eq!(*found, nearest, "{written}");
        let message = error.to_string();
        assert!(message.contains("run.toml") && message.contains(written), "{message}");
        assert_eq!(message.contains("did you mean"), nearest.is_some(), "{message}");
    }
}

#[test]
fn a_wrong_type_names_file_line_and_key() {
    for (line, expected) in [
        ("lr = \"fast\"", "expected a number"),
        ("batch_size = -1", "expected a whole number"),
        ("shuffle = 1", "bool"),
        ("optimizer = \"adamm\"", "adamw"),
        ("lr = ", "line 2"),
        ("config = \"other.toml\"", "config"),
    ] {
        let (_folder, path) = config(&format!("epochs = 2\n{line}\n"));
        let message = ClassifyConfig::from_file(&path).expect_err(line).to_string();
        let key = line.split(' ').next().expect("a key");
        assert!(message.contains("run.toml") && message.contains(key), "{message}");
        assert!(message.contains(expected), "{line}: {message}");
    }
}

#[test]
fn values_out_of_range_name_the_flag_or_the_key() {
    let cases = [
        ("epochs", "0"),
        ("batch_size", "0"),
        ("lr", "-1.0"),
        ("lr", "nan"),
        ("lr", "inf"),
        ("lr", "0.0"),
        ("momentum", "1.0"),
        ("weight_decay", "-0.1"),
        ("clip", "nan"),
        ("label_smoothing", "1.0"),
        ("label_smoothing", "-0.1"),
        ("val_split", "0.0"),
        ("val_split", "1.0"),
        ("val_split", "nan"),
        ("image_size", "0"),
        ("image_size", "9000"),
    ];
    for (key, value) in cases {
        let flag = format!("--{}", key.replace('_', "-"));
        let error = ClassifyConfig::resolve(&flags(&format!("{flag} {value}"))).expect_err(key);
        let ConfigError::Value { key: named, origin, .. } = &error else { panic!("{error:?}") };
        assert_eq!((*named, origin), (key, &Origin::Given));
        assert!(error.to_string().starts_with(&format!("{key} = ")), "{error}");

        let (_folder, path) = config(&format!("{key} = {value}\n"));
        let error = ClassifyConfig::from_file(&path).expect_err(key);
        let ConfigError::Value { key: named, origin, .. } = &error else { panic!("{error:?}") };
        assert_eq!((*named, origin), (key, &Origin::File(path.clone())));
        let message = error.to_string();
        assert!(message.contains("run.toml") && message.contains(key), "{message}");
    }
}

#[test]
fn a_missing_or_oversized_config_file_is_named() {
    let missing = Path::new("no/such/run.toml");
    let message = ClassifyConfig::from_file(missing).expect_err("missing").to_string();
    assert!(message.contains("run.toml"), "{message}");
    let (folder, path) = config(&"# \n".repeat(1 << 20));
    let message = ClassifyConfig::from_file(&path).expect_err("too long").to_string();
    assert!(message.contains("3145728 bytes"), "{message}");
    assert!(ClassifyConfig::from_file(folder.path()).is_err());
}

#[test]
fn the_defaults_are_valid_and_clipping_is_off() {
    ClassifyConfig::default().validate().expect("valid");
    assert_eq!(ClassifyConfig::default().settings().clip_norm(), None);
}
