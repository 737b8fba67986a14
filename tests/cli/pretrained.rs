//! `--pretrained`: published weights that this machine lacks, ambiguous names, networks without published weights.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use super::support::{Outcome, Place, RESNET};

/// Runs a command with empty folders of weights and further variables.
fn run(place: &Place, line: &str, more: &[(&str, &str)]) -> Outcome {
    let folders = ["SHADEGRAD_WEIGHTS_DIR", "TORCH_HOME", "HF_HOME"];
    let paths = folders.map(|name| place.path(name).display().to_string());
    let mut environment: Vec<_> = folders.into_iter().zip(paths.iter().map(String::as_str)).collect();
    environment.extend(more);
    place.run_with(line, &environment)
}

/// The facts of ResNet18's file, as torchvision publishes it.
const FILE: [&str; 3] = [
    "https://download.pytorch.org/models/resnet18-f37072fd.pth",
    "46830571 bytes",
    "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
];

#[test]
fn offline_says_which_file_belongs_where() {
    let place = Place::with_photos(2);
    let path = place.path("SHADEGRAD_WEIGHTS_DIR").join("resnet18-f37072fd.pth").display().to_string();
    for (line, variables) in [
        ("--pretrained --offline", &[][..]),
        ("--init imagenet --offline", &[]),
        ("--pretrained", &[("SHADEGRAD_OFFLINE", "1")]),
        ("--pretrained", &[("HF_HUB_OFFLINE", "1")]),
    ] {
        let outcome = run(&place, &format!("{RESNET} {line} --out run"), variables);
        outcome.refused(&FILE).refused(&[&path, "--init FILE"]);
    }
    // A config file may request them, and other tasks too.
    place.write("a.toml", "pretrained = true\noffline = true\n");
    run(&place, &format!("{RESNET} --config a.toml --out run"), &[]).refused(&FILE);
    run(&place, "train segment --encoder resnet50 --pretrained --offline --out run", &[]).refused(&["resnet50-0676"]);
    run(&place, "train segment --model resnet34-seg --pretrained --offline --out run", &[]).refused(&["resnet34-b627"]);
    run(&place, "train colorize --encoder resnet101 --pretrained --offline --out run", &[])
        .refused(&["resnet101-63fe"]);
    run(&place, "train multi-label --model resnet152 --pretrained --offline --out run", &[])
        .refused(&["resnet152-394f"]);
    run(&place, "train classify --model resnet50 --init imagenet-v2 --offline --out run", &[])
        .refused(&["resnet50-11ad"]);
    assert!(!place.has("run"));
}

#[test]
fn a_mirror_with_another_file_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mirror = format!("http://{}/w", listener.local_addr().expect("an address"));
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a request");
        let mut head = [0; 512];
        let count = stream.read(&mut head).expect("reads");
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello").expect("writes");
        String::from_utf8_lossy(&head[..count]).into_owned()
    });
    let place = Place::with_photos(2);
    // The other addresses are on a port where nothing listens.
    let proxy = ("ALL_PROXY", "http://127.0.0.1:9");
    let variables =
        [("SHADEGRAD_WEIGHTS_MIRROR", mirror.as_str()), proxy, ("HTTPS_PROXY", proxy.1), ("NO_PROXY", "127.0.0.1")];
    let outcome = run(&place, &format!("{RESNET} --pretrained --out run"), &variables);
    outcome.refused(&[&mirror, "it has 5 bytes instead of 46830571", "no connection"]).refused(&FILE);
    assert!(asked.join().expect("a request").starts_with("GET /w/resnet18-f37072fd.pth HTTP/1.1"));
    assert!(!place.has("run") && !place.has("SHADEGRAD_WEIGHTS_DIR/resnet18-f37072fd.pth"));
}

#[test]
fn names_that_can_be_read_in_two_ways_are_refused() {
    let place = Place::with_photos(2);
    place.write("weights.pth", "");
    run(&place, &format!("{RESNET} --pretrained --init weights.pth"), &[])
        .refused(&["--init weights.pth", "pretrained"]);
    place.folder("imagenet");
    run(&place, &format!("{RESNET} --init imagenet --offline"), &[]).refused(&["--init imagenet", "./imagenet"]);
    run(&place, &format!("{RESNET} --init ./imagenet --offline"), &[]).refused(&["imagenet"]);
    run(&place, &format!("{RESNET} --pretrained --offline"), &[]).refused(&FILE);
    // A resumed run has its weights.
    run(&place, "train classify --resume run --pretrained", &[]).refused(&["--pretrained true", "--resume"]);
}

#[test]
fn networks_without_published_weights_are_refused() {
    let place = Place::with_photos(2);
    let unet = "train segment --model unet --pretrained --offline --out run";
    run(&place, unet, &[]).refused(&["no published weights `imagenet` for unet", "resnet18", "--encoder"]);
    let v2 = "train classify --model resnet18 --init imagenet-v2 --offline --out run";
    run(&place, v2, &[]).refused(&["`imagenet-v2` for resnet18", "resnet50, resnet101 or resnet152"]);
    assert!(!place.has("run"));
}

#[test]
fn weights_are_evaluated_without_a_run() {
    let place = Place::with_photos(2);
    let line = "eval --weights imagenet --model resnet18 --data photos --offline";
    run(&place, line, &[]).refused(&FILE);
    for (line, part) in [
        ("eval", "<RUN>"),
        ("eval --weights imagenet", "--model"),
        ("eval run --weights imagenet --model resnet18 --data photos", "cannot be used with"),
        ("eval run --resize 256", "--weights"),
        ("eval --weights imagenet --model resnet18 --data photos --crop 300 --offline", "SHA-256"),
        ("eval --weights gone.pth --model resnet18 --data photos", "gone.pth"),
    ] {
        run(&place, line, &[]).refused(&[part]);
    }
    place.write("broken.pth", "hello");
    let broken = "eval --weights broken.pth --model resnet18 --data photos";
    run(&place, &format!("{broken} --crop 300"), &[]).refused(&["--resize 256", "at least the side of the crop"]);
    run(&place, broken, &[]).refused(&["broken.pth"]);
}
