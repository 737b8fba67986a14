//! Published weights: found in the folders of programs, or fetched from a server on this machine that misbehaves as
//! real servers do.

mod fetched;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use shadegrad::interop::pretrained::table::PUBLISHED;
use shadegrad::interop::pretrained::{
    Fetching, Needed, Options, Place, PretrainedError, PublishedFile, Refusal, obtain,
};

use fetched::{BYTES, SHA256, content, fetch, fetch_after, file, good, options, weights};
use server::{Answer, Request, Server};

#[test]
fn a_file_is_fetched_once_and_then_found() {
    let fetched = fetch(|_, request| good(request));
    fetched.is_whole();
    assert_eq!(fetched.events[0], format!("begins 0/{BYTES}"));
    assert_eq!(fetched.events[fetched.events.len() - 2], format!("advances {BYTES}/{BYTES}"));
    assert_eq!(fetched.ranges(), [None]);
    // No server is left.
    let again = obtain(&weights(&[file("http://127.0.0.1:9/net.pth")]), &options(fetched.folder.path()), &|_| {});
    assert_eq!(again.expect("found"), fetched.own("net.pth"));
}

#[test]
fn a_slow_server_is_waited_for_and_a_silent_one_is_not() {
    let slow = fetch(|_, request| good(request).slowly(Duration::from_millis(2), 5_000));
    assert!(slow.is_whole().events.iter().filter(|event| event.starts_with("advances")).count() >= 10);
    let silent = fetch_after(
        |_| {},
        |_, request| good(request).silent_after(30_000),
        |options| options.patience = Duration::from_millis(100),
    );
    silent.refusal();
    let broken = silent.events.iter().find(|event| event.contains("broke off after 30000"));
    assert!(broken.is_some_and(|event| event.contains("timeout")), "{:?}", silent.events);
}

#[test]
fn a_connection_that_breaks_off_is_continued() {
    let fetched = fetch(|number, request| if number < 3 { good(request).cut_after(30_000) } else { good(request) });
    fetched.is_whole();
    assert_eq!(fetched.ranges(), [None, Some(30_000), Some(60_000), Some(90_000)]);
    let retries = fetched.events.iter().filter(|event| event.starts_with("retries")).count();
    assert_eq!(retries, 3, "an attempt that brings bytes renews the number of retries");
    assert!(fetched.events.contains(&format!("begins 60000/{BYTES}")));
}

#[test]
fn a_later_process_continues_what_an_earlier_one_began() {
    let stopped =
        fetch(|number, request| if number == 0 { good(request).cut_after(25_000) } else { Answer::status(503) });
    assert!(matches!(stopped.refusal(), Refusal::Status(503)));
    assert_eq!(fs::metadata(stopped.own("net.pth.partial")).expect("kept").len(), 25_000);
    let server = Server::start(|_, request| good(request));
    let address = server.address("net.pth");
    obtain(&weights(&[file(&address)]), &options(stopped.folder.path()), &|_| {}).expect("continues");
    assert!(fs::read(stopped.own("net.pth")).expect("reads") == content());
    assert_eq!(server.requests()[0].range, Some(25_000));
}

#[test]
fn a_server_without_ranges_sends_the_whole_file() {
    let whole = |number: usize, _: &Request| {
        let answer = Answer::whole(&content());
        if number == 0 { answer.cut_after(40_000) } else { answer }
    };
    assert_eq!(fetch(whole).is_whole().ranges(), [None, Some(40_000)]);
    // One server refuses the range, the other one answers with another range.
    let refusing = |number: usize, request: &Request| match (number, request.range) {
        (0, _) => Answer::whole(&content()).cut_after(40_000),
        (_, Some(_)) => Answer::status(416),
        _ => Answer::whole(&content()),
    };
    assert_eq!(fetch(refusing).is_whole().ranges(), [None, Some(40_000), None]);
    let other = |number: usize, request: &Request| match (number, request.range) {
        (0, _) => Answer::whole(&content()).cut_after(40_000),
        (_, Some(start)) => Answer::part(&content(), start as usize + 1),
        _ => Answer::whole(&content()),
    };
    assert_eq!(fetch(other).is_whole().ranges(), [None, Some(40_000), None]);
}

#[test]
fn other_bytes_are_refused() {
    let mut damaged = content();
    damaged[50_000] ^= 1;
    let wrong = fetch(move |_, _| Answer::whole(&damaged));
    assert!(matches!(wrong.refusal(), Refusal::Hash { expected, .. } if expected == SHA256));
    assert!(!wrong.own("net.pth.partial").exists());
    assert_eq!(wrong.requests.len(), 1);
    for other in [&content()[1..], &[content(), vec![0]].concat()] {
        let (found, other) = (other.len() as u64, other.to_vec());
        let announced = other.clone();
        let size = fetch(move |_, _| Answer::whole(&announced));
        assert!(matches!(size.refusal(), Refusal::Size { found: f, .. } if *f == found), "{:?}", size.result);
        // The same without an announced length.
        let size = fetch(move |_, _| Answer::whole(&other).unannounced());
        let short = found < BYTES as u64;
        assert!(
            matches!(
                size.refusal(),
                Refusal::BrokenOff { .. } if short
            ) || matches!(size.refusal(), Refusal::Size { .. } if !short)
        );
    }
}

#[test]
fn a_partial_file_of_other_bytes_is_fetched_from_its_start() {
    let junk = |folder: &Path| {
        fs::create_dir_all(folder.join("own")).expect("a folder");
        fs::write(folder.join("own/net.pth.partial"), vec![7; 1000]).expect("writes");
    };
    let fetched = fetch_after(junk, |_, request| good(request), |_| {});
    assert_eq!(fetched.is_whole().ranges(), [Some(1000), None]);
    let longer = |folder: &Path| {
        fs::create_dir_all(folder.join("own")).expect("a folder");
        fs::write(folder.join("own/net.pth.partial"), vec![7; BYTES + 1]).expect("writes");
    };
    assert_eq!(fetch_after(longer, |_, request| good(request), |_| {}).is_whole().ranges(), [None]);
}

#[test]
fn statuses_are_named_and_passing_ones_tried_again() {
    let missing = fetch(|_, _| Answer::status(404));
    assert!(matches!(missing.refusal(), Refusal::Status(404)));
    assert_eq!(missing.requests.len(), 1);
    let text = missing.result.as_ref().expect_err("refused").to_string();
    for part in ["status 404", "http://127.0.0.1", "net.pth", &BYTES.to_string(), SHA256] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let busy = fetch(|number, request| if number < 2 { Answer::status(503) } else { good(request) });
    assert_eq!(busy.is_whole().requests.len(), 3);
}

#[test]
fn redirections_are_followed_with_the_range() {
    let fetched = fetch(|number, request| match request.path.as_str() {
        "/net.pth" => Answer::redirect("/elsewhere/net.pth"),
        _ if number < 2 => good(request).cut_after(10_000),
        _ => good(request),
    });
    fetched.is_whole();
    let asked: Vec<_> = fetched.requests.iter().map(|request| (request.path.as_str(), request.range)).collect();
    let (address, target) = ("/net.pth", "/elsewhere/net.pth");
    assert_eq!(asked, [(address, None), (target, None), (address, Some(10_000)), (target, Some(10_000))]);
    let circle = fetch(|_, _| Answer::redirect("/net.pth"));
    assert!(matches!(circle.refusal(), Refusal::Unreachable(_)));
}

#[test]
fn a_refused_connection_is_an_error_that_says_what_to_put_where() {
    let folder = tempfile::tempdir().expect("a folder");
    let gone = Server::unbound();
    let error = obtain(&weights(&[file(&gone)]), &options(folder.path()), &|_| {}).expect_err("refused");
    let text = error.to_string();
    let path = folder.path().join("own").join("net.pth");
    for part in ["no connection", &gone, &path.display().to_string(), &BYTES.to_string(), SHA256] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!path.exists());
}

#[test]
fn nothing_is_fetched_offline() {
    let fetched = fetch_after(|_| {}, |_, request| good(request), |options| options.offline = true);
    let Err(PretrainedError::Offline { needed }) = &fetched.result else { panic!("{:?}", fetched.result) };
    let Needed { address, path, bytes, sha256 } = needed;
    assert!(address.starts_with("http://127.0.0.1") && address.ends_with("/net.pth"), "{address}");
    assert_eq!((path, *bytes, sha256.as_str()), (&fetched.own("net.pth"), BYTES as u64, SHA256));
    assert!(fetched.requests.is_empty());
    // The file where the error says, and nothing more is needed.
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, content()).expect("writes");
    let mut offline = options(fetched.folder.path());
    offline.offline = true;
    assert_eq!(&obtain(&weights(&[file(address)]), &offline, &|_| {}).expect("found"), path);
}

#[test]
fn files_of_other_programs_are_found_and_wrong_ones_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let revision = folder.path().join("hub/models--owner--net/snapshots/abc");
    for place in [&folder.path().join("torch"), &revision, &folder.path().join("own")] {
        fs::create_dir_all(place).expect("a folder");
    }
    let place = Place::HuggingFace { repository: "owner/net", revision: "abc", path: "model.safetensors" };
    let files = [file("https://example.org/net.pth"), PublishedFile { name: "net.safetensors", place, ..file("") }];
    let mut offline = options(folder.path());
    offline.offline = true;
    let find = || obtain(&weights(&files), &offline, &|_| {});
    for wrong in [vec![], vec![1; BYTES]] {
        fs::write(folder.path().join("own/net.pth"), wrong).expect("writes");
        assert!(matches!(find(), Err(PretrainedError::Offline { .. })));
    }
    let of_hub = revision.join("model.safetensors");
    fs::write(&of_hub, content()).expect("writes");
    assert_eq!(find().expect("found"), of_hub);
    let of_torch = folder.path().join("torch/net.pth");
    fs::write(&of_torch, content()).expect("writes");
    assert_eq!(find().expect("found"), of_torch);
    // A file of the right name and other bytes is replaced by a download.
    fs::remove_file(&of_hub).and_then(|()| fs::remove_file(&of_torch)).expect("removes");
    let server = Server::start(|_, request| good(request));
    let address = server.address("net.pth");
    let path = obtain(&weights(&[file(&address)]), &options(folder.path()), &|_| {}).expect("fetched");
    assert!(fs::read(path).expect("reads") == content());
}

#[test]
fn mirrors_come_first() {
    let place = Place::HuggingFace { repository: "owner/net", revision: "abc", path: "model.safetensors" };
    let files = [file("https://example.org/net.pth"), PublishedFile { name: "net.safetensors", place, ..file("") }];
    let weights = weights(&files);
    let addresses = |variables: &[(&str, &str)]| {
        let of = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let options = Options::of(&of);
        options.addresses(&weights).into_iter().map(|(_, address)| address).collect::<Vec<_>>()
    };
    let (torch, hub) = ("https://example.org/net.pth", "/owner/net/resolve/abc/model.safetensors");
    assert_eq!(addresses(&[]), [torch.to_owned(), format!("https://huggingface.co{hub}")]);
    let endpoint = ("HF_ENDPOINT", "https://hub.example/");
    assert_eq!(addresses(&[endpoint]), [format!("https://hub.example{hub}"), torch.to_owned()]);
    let mirror = ("SHADEGRAD_WEIGHTS_MIRROR", "http://mirror/files/");
    let [first, second, third, fourth] = addresses(&[endpoint, mirror]).try_into().expect("four");
    assert_eq!([first, second], ["http://mirror/files/net.pth", "http://mirror/files/net.safetensors"]);
    assert_eq!([third, fourth], [format!("https://hub.example{hub}"), torch.to_owned()]);
}

#[test]
fn folders_and_the_network_follow_the_environment() {
    let of = |variables: &[(&str, &str)]| {
        let of = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Options::of(&of)
    };
    let path = |text: &str| Some(PathBuf::from(text));
    let plain = of(&[("HOME", "/home/a")]).folders;
    assert_eq!(plain.torch, path("/home/a/.cache/torch/hub/checkpoints"));
    assert_eq!(plain.hugging_face, path("/home/a/.cache/huggingface/hub"));
    let xdg = of(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "/c")]).folders;
    assert_eq!([xdg.torch, xdg.hugging_face], [path("/c/torch/hub/checkpoints"), path("/c/huggingface/hub")]);
    let own = [("SHADEGRAD_WEIGHTS_DIR", "/w"), ("TORCH_HOME", "/t"), ("HF_HOME", "/h")];
    let own = of(&own).folders;
    assert_eq!([own.own, own.torch, own.hugging_face], [path("/w"), path("/t/hub/checkpoints"), path("/h/hub")]);
    assert_eq!(of(&[("HF_HOME", "/h"), ("HF_HUB_CACHE", "/hub")]).folders.hugging_face, path("/hub"));
    let offline = |value: &'static str| of(&[("SHADEGRAD_OFFLINE", value)]).offline;
    assert_eq!(["1", "true", "yes"].map(offline), [true; 3]);
    assert_eq!(["", "0", "false", "OFF"].map(offline), [false; 4]);
    assert!(of(&[("HF_HUB_OFFLINE", "1")]).offline);
}

#[test]
fn the_table_is_that_of_torchvision() {
    for depth in ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"] {
        assert!(PUBLISHED.iter().any(|weights| (weights.encoder, weights.name) == (depth, "imagenet")), "{depth}");
    }
    for weights in &PUBLISHED {
        assert!((65.0..85.0).contains(&weights.top1) && weights.license == "BSD-3-Clause", "{weights:?}");
        for file in weights.files {
            let hex = file.sha256.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
            assert!(hex && [8, 64].contains(&file.sha256.len()), "{file:?}");
            // torch.hub's rule: the name ends with the first eight digits.
            if let Place::Url(address) = file.place {
                let name = format!("/{}-{}.pth", weights.encoder, &file.sha256[..8]);
                assert!(address.starts_with("https://") && address.ends_with(&name), "{address}");
            }
        }
    }
}

/// Variables of [`fetches_as_a_child`].
const CHILD: [&str; 2] = ["SHADEGRAD_TEST_ADDRESS", "SHADEGRAD_TEST_FOLDER"];

#[test]
#[ignore = "two_processes_fetch_a_file_once runs it as a process"]
fn fetches_as_a_child() {
    let [address, folder] = CHILD.map(|name| std::env::var(name).expect("set by the parent"));
    let path = obtain(&weights(&[file(&address)]), &options(Path::new(&folder)), &|progress| {
        if matches!(progress, Fetching::Waits { .. }) {
            println!("waited");
        }
    });
    assert!(fs::read(path.expect("fetched")).expect("reads") == content());
}

#[test]
fn two_processes_fetch_a_file_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(|_, request| good(request).slowly(Duration::from_millis(20), 5_000));
    let start = || {
        let mut child = Command::new(std::env::current_exe().expect("this test"));
        child.args(["--exact", "published::fetches_as_a_child", "--ignored", "--nocapture"]);
        child.env(CHILD[0], server.address("net.pth")).env(CHILD[1], folder.path());
        child.stdout(std::process::Stdio::piped()).spawn().expect("starts")
    };
    let outputs = [start(), start()].map(|child| child.wait_with_output().expect("ends"));
    assert!(outputs.iter().all(|output| output.status.success()), "{outputs:?}");
    let waited = outputs.iter().filter(|output| String::from_utf8_lossy(&output.stdout).contains("waited")).count();
    assert_eq!((waited, server.requests().len()), (1, 1));
}
