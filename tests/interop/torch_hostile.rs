//! PyTorch files that are damaged or meant to do harm: each is an error, soon and in little memory, and no code of them runs.

use std::fs;
use std::time::{Duration, Instant};

use shadegrad::interop::weight_file::WeightFile;

use crate::torch_files::fixture;

/// Opens a file with these bytes and reads every tensor. An error is returned as its message.
fn outcome(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("weights.pth");
    fs::write(&path, bytes).expect("writes");
    let file = WeightFile::open(&path).map_err(|error| error.to_string())?;
    let names: Vec<String> = file.shapes().map(|(name, _)| name.to_owned()).collect();
    names.iter().try_for_each(|name| file.read(name).map(drop)).map_err(|error| error.to_string())
}

/// Requires that the bytes are refused with all of `parts` in the message, within ten seconds, which is ample on a busy
/// machine.
fn refused(what: &str, bytes: &[u8], parts: &[&str]) {
    let start = Instant::now();
    let error = outcome(bytes).expect_err(what);
    assert!(start.elapsed() < Duration::from_secs(10), "{what}: took {:?}", start.elapsed());
    assert!(error.contains("weights.pth") && error.len() < 2000, "{what}: {error}");
    for part in parts {
        assert!(error.contains(part), "{what}: `{part}` is not in: {error}");
    }
}

/// A file of the legacy layout with a pickle and the bytes after its list of storages.
fn legacy(pickle: &[u8], storages: &[u8]) -> Vec<u8> {
    let start = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.";
    [start, pickle, b".", storages].concat()
}

/// A pickle of `{"w": tensor}` with the storage, first element, shape and strides given as pickled values.
fn tensor(storage: &str, numel: &[u8], offset: &[u8], shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let storage =
        [b"(X\x07\0\0\0storagectorch\n", storage.as_bytes(), b"\nX\x01\0\0\x000X\x03\0\0\0cpu", numel, b"tQ"].concat();
    let call =
        [b"ctorch._utils\n_rebuild_tensor_v2\n(", &storage[..], offset, b"(", shape, b"t(", strides, b"t\x89NtR"];
    [b"\x80\x02}X\x01\0\0\0w", &call.concat()[..], b"s"].concat()
}

fn int(value: i64) -> Vec<u8> {
    [b"\x8a\x08", &value.to_le_bytes()[..]].concat()
}

/// The list of the storage `0`, with `count` elements of 4 bytes.
fn storage(count: u64) -> Vec<u8> {
    [b"\x80\x02]X\x01\0\0\x000a.", &count.to_le_bytes()[..], &[0; 16]].concat()
}

/// Name, method and bytes of an entry, and the size that the directory claims.
struct Entry<'a> {
    name: &'a str,
    method: u16,
    bytes: &'a [u8],
    claimed: u32,
    at: Option<u32>,
}

fn entry<'a>(name: &'a str, bytes: &'a [u8]) -> Entry<'a> {
    Entry { name, method: 0, bytes, claimed: bytes.len() as u32, at: None }
}

/// A zip archive without checksums; `count` entries are claimed.
fn zip(entries: &[Entry<'_>], count: u16) -> Vec<u8> {
    let (mut file, mut directory) = (vec![], vec![]);
    for Entry { name, method, bytes, claimed, at } in entries {
        let at = at.unwrap_or(file.len() as u32);
        file.extend(
            [b"PK\x03\x04", &[0; 22][..], &(name.len() as u16).to_le_bytes(), &[0; 2], name.as_bytes()].concat(),
        );
        file.extend(*bytes);
        directory.extend([&b"PK\x01\x02"[..], &[0; 6], &method.to_le_bytes(), &[0; 8]].concat());
        directory.extend([claimed.to_le_bytes(), claimed.to_le_bytes()].concat());
        directory
            .extend([&(name.len() as u16).to_le_bytes()[..], &[0; 12], &at.to_le_bytes(), name.as_bytes()].concat());
    }
    let place = [(directory.len() as u32).to_le_bytes(), (file.len() as u32).to_le_bytes()].concat();
    let end = [&b"PK\x05\x06"[..], &[0; 4], &count.to_le_bytes(), &count.to_le_bytes(), &place, &[0; 2]].concat();
    [file, directory, end].concat()
}

/// An archive with a pickle and a storage `0` of 16 bytes.
fn archive(pickle: &[u8]) -> Vec<u8> {
    let pickle = [pickle, b"."].concat();
    zip(&[entry("a/data.pkl", &pickle), entry("a/data/0", &[0; 16])], 2)
}

fn four(offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    let list = |values: &[i64]| values.iter().flat_map(|&value| int(value)).collect::<Vec<_>>();
    tensor("FloatStorage", &int(4), &int(offset), &list(shape), &list(strides))
}

#[test]
fn a_good_file_of_each_layout_is_read() {
    assert_eq!(outcome(&archive(&four(0, &[2, 2], &[2, 1]))), Ok(()));
    assert_eq!(outcome(&legacy(&four(1, &[3], &[1]), &storage(4))), Ok(()));
    assert_eq!(outcome(&archive(&four(0, &[2, 0, 5], &[9, 9, 9]))), Ok(()));
    // An axis of one element may have any stride.
    assert_eq!(outcome(&archive(&four(0, &[1, 4], &[i64::MAX, 1]))), Ok(()));
}

#[test]
fn code_is_named_and_not_run() {
    let marker = std::env::temp_dir().join(format!("shadegrad-ran-{}", std::process::id()));
    let command = format!("touch {}", marker.display());
    let text = [b"X", &(command.len() as u32).to_le_bytes()[..], command.as_bytes()].concat();
    for (pickle, name) in [
        ([b"\x80\x02cos\nsystem\n(", &text[..], b"tR"].concat(), "os.system"),
        ([b"\x80\x04\x8c\x05posix\x8c\x06system\x93(", &text[..], b"tR"].concat(), "posix.system"),
        (b"\x80\x02cbuiltins\neval\n(X\x01\0\0\x001tR".to_vec(), "builtins.eval"),
        (b"\x80\x02cbuiltins\n__import__\n(X\x02\0\0\0ostR".to_vec(), "builtins.__import__"),
        (b"\x80\x02ctorch\nload\n(X\x01\0\0\x001tR".to_vec(), "torch.load"),
        (b"\x80\x02ctorch.storage\n_load_from_bytes\n(X\x01\0\0\x001tR".to_vec(), "torch.storage._load_from_bytes"),
        (b"\x80\x02csubprocess\nPopen\n)\x81}b".to_vec(), "subprocess.Popen"),
    ] {
        for file in [archive(&pickle), legacy(&pickle, &storage(4))] {
            refused(name, &file, &[&format!("the file asks to run `{name}`"), "no code of a file is run"]);
        }
    }
    refused("an object", &archive(b"\x80\x02(ios\nsystem\n"), &["the instruction INST"]);
    refused("a registered class", &archive(b"\x80\x02\x82\x01"), &["the instruction EXT"]);
    assert!(!marker.exists(), "the command ran");
}

#[test]
fn tensors_outside_their_storage_are_refused() {
    let outside = |what: &str, pickle: Vec<u8>| {
        refused(what, &archive(&pickle), &["tensor `w`"]);
        refused(what, &legacy(&pickle, &storage(4)), &["tensor `w`"]);
    };
    outside("too many elements", four(0, &[5], &[1]));
    outside("a huge shape", four(0, &[1 << 40, 1 << 40], &[1 << 40, 1]));
    outside("a product of shapes of 0", four(0, &[1 << 32, 1 << 32], &[0, 0]));
    outside("one element many times", four(0, &[1 << 40], &[0]));
    outside("an offset at the end", four(4, &[1], &[1]));
    outside("an offset that overflows", four(i64::MAX, &[1], &[1]));
    outside("a stride that overflows", four(0, &[3], &[i64::MAX]));
    outside("a negative size", four(0, &[-1], &[1]));
    outside("a negative stride", four(3, &[4], &[-1]));
    outside("shape and strides of different lengths", four(0, &[2, 2], &[1]));
    // The pickle claims more than the storage has.
    outside("a storage of 2⁶² elements", tensor("FloatStorage", &int(1 << 62), &int(0), &int(1 << 62), &int(1)));
    refused(
        "wider",
        &archive(&tensor("DoubleStorage", &int(4), &int(0), &int(4), &int(1))),
        &["lies outside its storage of 16 bytes"],
    );
    refused(
        "quantized",
        &archive(&tensor("QInt8Storage", &int(4), &int(0), &int(4), &int(1))),
        &["quantized or complex"],
    );
    refused("bytes", &archive(&tensor("ByteStorage", &int(4), &int(0), &int(4), &int(1))), &["U8"]);
}

#[test]
fn deep_wide_and_cyclic_pickles_end() {
    let none = "it holds no state dict";
    refused("nested lists", &archive(&[&b"\x80\x02"[..], &vec![b']'; 100_000], &vec![b'a'; 99_999]].concat()), &[none]);
    refused("nested tuples", &archive(&[&b"\x80\x02)"[..], &vec![0x85; 100_000]].concat()), &[none]);
    // Each tuple holds the one before twice: 2⁵⁰⁰ leaves.
    let twice = b"q\x00h\x00\x86".repeat(500);
    refused("doubled tuples", &archive(&[&b"\x80\x02)"[..], &twice].concat()), &[none]);
    refused(
        "a dict in itself",
        &archive(b"\x80\x02}q\x00X\x05\0\0\0modelh\x00s"),
        &["it has no tensors under its keys (model)"],
    );
    refused("marks without end", &archive(&vec![b'('; 1_100_000]), &["instructions"]);
    refused("memo entries without end", &archive(&[&b"N"[..], &vec![0x94; 1_100_000]].concat()), &["instructions"]);
    refused("a text of 2⁶³ bytes", &archive(&[&b"\x8d"[..], &i64::MAX.to_le_bytes()].concat()), &["truncated"]);
    refused("a number of 2 GB", &archive(b"\x8b\xff\xff\xff\x7f"), &["truncated"]);
    refused("an empty stack", &archive(b"\x80\x02R"), &["empty stack"]);
    refused("a value that was not stored", &archive(b"\x80\x02h\x07"), &["a value that it lacks"]);
    refused("no mark", &archive(b"\x80\x02t"), &["no mark"]);
    refused("a global without end", &archive(&[&b"c"[..], &vec![b'o'; 1 << 20]].concat()), &["has no end"]);
    refused("an unknown instruction", &archive(b"\x80\x02\xff"), &["0xff"]);
    refused("a call of a text", &archive(b"\x80\x02X\x01\0\0\0a)R"), &["calls what is no function"]);
    let again = four(0, &[4], &[1]);
    let again = [&again[..], &again[b"\x80\x02}".len()..]].concat();
    refused("one name twice", &archive(&again), &["two tensors of the name `w`"]);
}

#[test]
fn archives_that_lie_are_refused() {
    let pickle = [&four(0, &[4], &[1])[..], b"."].concat();
    let (data, elements) = (entry("a/data.pkl", &pickle), entry("a/data/0", &[0; 16]));
    refused("no storage", &zip(&[entry("a/data.pkl", &pickle)], 1), &["names a storage that it lacks"]);
    refused("no pickle", &zip(&[entry("a/data/0", &[0; 16])], 1), &["without data.pkl"]);
    let script = [entry("a/data.pkl", &pickle), entry("a/constants.pkl", b"")];
    refused("a program", &zip(&script, 2), &["TorchScript", "state_dict()"]);
    for (file, words) in [
        ("a/attributes.pkl", "TorchScript"),
        ("a/serialized_exported_program.json", "torch.export"),
        ("a/archive_format", "torch.export"),
        ("model.weights.h5", "Keras"),
    ] {
        refused(file, &zip(&[entry(file, b"")], 1), &[words, "it is a"]);
    }
    let packed = Entry { method: 8, claimed: u32::MAX - 1, ..entry("a/data/0", b"\x4b\x4c\x04\0") };
    refused("a zip bomb", &zip(&[entry("a/data.pkl", &pickle), packed], 2), &["compressed or encrypted"]);
    let long = Entry { claimed: 0x7fff_ffff, ..entry("a/data.pkl", &pickle) };
    refused("a pickle of 2 GB", &zip(&[long], 1), &["outside the file"]);
    let shared = Entry { at: Some(0), ..entry("a/data/0", &[0; 16]) };
    refused("bytes of another entry", &zip(&[data, shared], 2), &["share bytes"]);
    let twice = [entry("a/data.pkl", &pickle), entry("a/data/0", &[0; 16]), elements];
    refused("one name twice", &zip(&twice, 3), &["two entries of the name `a/data/0`"]);
    refused("more entries than there are", &zip(&[entry("a/data.pkl", &pickle)], 60_000), &["damaged"]);
    let both = [entry("a/data.pkl", &pickle), entry("b/data.pkl", &pickle)];
    refused("two pickles", &zip(&both, 2), &["two entries data.pkl"]);
    let order = [entry("a/data.pkl", &pickle), entry("a/byteorder", b"big")];
    refused("a big-endian machine", &zip(&order, 2), &["big-endian"]);
    // A 64-bit end record that claims 2⁶² entries.
    let whole = zip(&[entry("a/data.pkl", &pickle)], 1);
    let (body, end) = whole.split_at(whole.len() - 22);
    let huge = (1u64 << 62).to_le_bytes();
    let wide = [&b"PK\x06\x06"[..], &[0; 28], &huge, &huge, &[0; 8]].concat();
    let locator = [&b"PK\x06\x07"[..], &[0; 4], &(body.len() as u64).to_le_bytes(), &[0; 4]].concat();
    refused("2⁶² entries", &[body, &wide, &locator, end].concat(), &["claims 4611686018427387904 entries"]);
}

#[test]
fn legacy_files_that_lie_are_refused() {
    let good = four(0, &[4], &[1]);
    refused("a storage of 2⁶³ bytes", &legacy(&good, &storage(1 << 61)), &["truncated"]);
    refused("a storage that overflows", &legacy(&good, &storage(u64::MAX)), &["truncated"]);
    refused("no storages", &legacy(&good, b"\x80\x02]."), &["names a storage that it lacks"]);
    refused("storages that are no list", &legacy(&good, b"\x80\x02N."), &["list of its storages is damaged"]);
    refused("nothing after the object", &legacy(&good, b""), &["truncated"]);
    refused("the magic number alone", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", &["truncated"]);
    let twice = [&b"\x80\x02](X\x01\0\0\x000X\x01\0\0\x000e."[..], &[0; 64]].concat();
    refused("one key twice", &legacy(&good, &twice), &["two storages of the key 0"]);
}

#[test]
fn files_of_other_kinds_are_named() {
    refused(
        "a pickle",
        b"\x80\x04\x95\x0b\0\0\0\0\0\0\0}\x8c\x01a\x8c\x01bs.",
        &["a pickle that torch.save did not write"],
    );
    refused("git lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", &["Git LFS", "git lfs pull"]);
    refused("a web page", b"\n<!DOCTYPE html><html>", &["a web page"]);
    refused("keras", b"\x89HDF\r\n\x1a\n", &["Keras"]);
    refused("gzip", b"\x1f\x8b\x08\0", &["gzip"]);
    refused("an empty archive", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", &["not a usable safetensors file"]);
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    for name in ["zip.pth", "legacy.pth"] {
        let whole = fs::read(fixture(name)).expect("the fixture");
        for length in (0..whole.len()).step_by(7).chain(whole.len() - 30..whole.len()) {
            let error = outcome(&whole[..length]).expect_err(name);
            assert!(error.contains("weights.pth"), "{name} cut to {length} bytes: {error}");
        }
    }
}

#[test]
fn a_flipped_bit_is_an_error_or_another_value_and_no_panic() {
    for name in ["views.pt", "views_legacy.pt", "checkpoint.pt"] {
        let whole = fs::read(fixture(name)).expect("the fixture");
        // Eleven shares no factor with eight: most bytes are hit, each in another bit than its neighbor.
        for bit in (0..whole.len() * 8).step_by(11) {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let _ = outcome(&bytes);
        }
    }
}

#[test]
fn a_flipped_bit_of_an_element_is_found_where_the_file_has_checksums() {
    let mut bytes = fs::read(fixture("zip.pth")).expect("the fixture");
    let count = 1234i64.to_le_bytes();
    let at = bytes.windows(8).position(|window| window == count).expect("the counter");
    bytes[at] ^= 1;
    refused("a flipped bit", &bytes, &["tensor `bn1.num_batches_tracked` is damaged", "checksum"]);
}
