//! Data that cannot be used for training.

use crate::support::{CLASSES, Place, TRAIN};

/// Requires `train` to refuse `data` with a message that contains `parts`, and to make no run folder.
fn refused(place: &Place, data: &str, parts: &[&str]) {
    let line = format!("train classify --data {data} --out run --device cpu --image-size 32 --epochs 1");
    place.run(&line).refused(&[data]).refused(parts);
    assert!(!place.has("run"), "no run folder");
}

#[test]
fn folders_without_a_data_set_are_refused() {
    let place = Place::new();
    refused(&place, "nowhere", &["no such file or folder", "check the path"]);
    place.folder("empty");
    refused(&place, "empty", &["the folder is empty", "expected class folders"]);
    place.write("file.txt", "text");
    refused(&place, "file.txt", &["is a file", "expected the folder"]);
    place.photos("flat", &[""], 3);
    refused(&place, "flat", &["3 images lie in it directly", "one folder per class"]);
    place.photos("hollow", &["full"], 3);
    place.folder("hollow/vacant");
    refused(&place, "hollow", &["'vacant'", "hollow/vacant", "add images or remove the folder"]);
    place.photos("single", &["only"], 3);
    refused(&place, "single", &["at least 2 classes are needed, found 1 ('only')"]);
    place.photos("lonely", &CLASSES, 1);
    refused(&place, "lonely", &["validation part is empty", "add images, or a val/ folder"]);
    place.photos("unlike/train", &["disc", "grass"], 2);
    place.photos("unlike/val", &["disc", "stripes"], 2);
    refused(
        &place,
        "unlike",
        &["class 'stripes'", "unlike/val", "not in unlike/train", "add training images of it or remove it"],
    );
}

/// A PNG of a few bytes whose header claims 100,000 by 100,000 pixels.
fn huge_png(place: &Place) -> Vec<u8> {
    let mut bytes = place.bytes("photos/disc/00.png");
    let header = &mut bytes[12..29]; // IHDR, width, height, depth and kind
    header[4..12].copy_from_slice(&[0, 1, 0x86, 0xA0, 0, 1, 0x86, 0xA0]);
    let crc = crc32(header);
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    bytes
}

/// The checksum of PNG (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c: u32, _| if c & 1 == 1 { 0xEDB8_8320 ^ (c >> 1) } else { c >> 1 })
    })
}

#[test]
fn bad_images_are_all_named_and_skipped_on_request() {
    let place = Place::with_photos(6);
    let cut = |name: &str| {
        let bytes = place.bytes(name);
        bytes[..bytes.len() * 2 / 3].to_vec()
    };
    let bad = [
        ("disc/cut.jpg", cut("photos/disc/01.jpg"), "truncated"),
        ("disc/cut.png", cut("photos/disc/00.png"), "truncated"),
        ("grass/nothing.png", vec![], "file is empty (0 bytes)"),
        ("grass/text.jpg", b"a shopping list".to_vec(), "not an image"),
        ("stripes/huge.png", huge_png(&place), "its header says 100000x100000 pixels; the limit is"),
    ];
    for (name, bytes, _) in &bad {
        place.write(&format!("photos/{name}"), bytes);
    }
    let named: Vec<String> = bad.iter().map(|(name, _, problem)| format!("photos/{name}: {problem}")).collect();
    let named: Vec<&str> = named.iter().map(String::as_str).collect();
    refused(&place, "photos", &["5 of 23 images cannot be read", "--skip-bad"]);
    refused(&place, "photos", &named);
    let outcome = place.run(&format!("{TRAIN} --out run --batch-size 8 --epochs 1 --skip-bad")).fine();
    outcome.printed(&named).printed(&["skipped photos/disc/cut.jpg"]);
    let good = 18;
    let outcome = place.run("eval run --data photos --split train --skip-bad --device cpu").fine();
    let train = outcome.number_before(" images, loss") as u64;
    let val = place.run("eval run --data photos --skip-bad --device cpu").fine().number_before(" images, loss") as u64;
    assert_eq!(train + val, good, "the good images, each once");
    // The split decides the part of a bad image.
    let parts = ["train", "val"].map(|part| place.run(&format!("eval run --data photos --split {part} --device cpu")));
    let refusals: Vec<_> = parts.into_iter().filter(|outcome| outcome.code != Some(0)).collect();
    assert!(!refusals.is_empty(), "the bad images are in neither part");
    refusals.into_iter().for_each(|outcome| drop(outcome.refused(&["cannot be read", "--skip-bad"])));
}

#[test]
fn skipping_all_images_of_a_class_is_refused() {
    let place = Place::with_photos(4);
    for name in place.list("photos/grass") {
        place.write(&format!("photos/grass/{name}"), "");
    }
    place
        .run(&format!("{TRAIN} --out run --epochs 1 --skip-bad"))
        .refused(&["class 'grass' has no readable training image left", "repair its images or remove the class"]);
    assert!(!place.has("run"));
}
