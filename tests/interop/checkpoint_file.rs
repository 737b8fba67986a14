//! Checkpoint files: content reads back as written, a failed write loses nothing, bad files are named.

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use shadegrad::internals::interop::files::write_atomic;
use shadegrad::interop::safetensors::{SafetensorsError, Tensor, TensorData, TensorFile};
use shadegrad::interop::weight_file::WeightFile;

fn example() -> TensorFile {
    let mut file = TensorFile::default();
    let weights = vec![1.5, -0.0, f32::MIN_POSITIVE, f32::INFINITY, 3.0e38, 1e-45];
    file.tensors.insert("conv1.weight".into(), Tensor::f32([2, 3], weights));
    file.tensors.insert("bn1.num_batches_tracked".into(), Tensor::i64([], vec![i64::MAX]));
    file.tensors.insert("empty".into(), Tensor::f32([0, 4], vec![]));
    for (key, value) in [("format", "pt"), ("classes", "[\"car\",\n\"bus\"]"), ("epoch", "3"), ("a", "é")] {
        file.metadata.insert(key.into(), value.into());
    }
    file
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("best.safetensors");
    (folder, path)
}

/// Writes a file from a header text and data bytes, unchecked by any library.
fn raw(path: &Path, header: &str, data: &[u8]) {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    fs::write(path, bytes).expect("writes");
}

#[test]
fn reads_back_what_it_wrote() {
    let (_folder, path) = folder();
    example().write_atomic(&path).expect("writes");
    assert_eq!(TensorFile::read(&path).expect("reads"), example());
}

#[test]
fn the_reference_reader_accepts_the_file() {
    let (_folder, path) = folder();
    example().write_atomic(&path).expect("writes");
    let bytes = fs::read(&path).expect("reads");
    let views = SafeTensors::deserialize(&bytes).expect("valid");
    let weight = views.tensor("conv1.weight").expect("there");
    assert_eq!((weight.dtype(), weight.shape()), (Dtype::F32, &[2, 3][..]));
    assert_eq!(weight.data()[..4], 1.5f32.to_le_bytes());
    let count = views.tensor("bn1.num_batches_tracked").expect("there");
    assert_eq!(count.data(), i64::MAX.to_le_bytes());
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("valid");
    assert_eq!(header.metadata().as_ref().expect("metadata")["a"], "é");
}

#[test]
fn every_element_is_aligned_to_its_size() {
    let (_folder, path) = folder();
    let mut file = TensorFile::default();
    // In the order of names the odd float would come first and misalign the integers.
    file.tensors.insert("a".into(), Tensor::f32([1], vec![1.0]));
    file.tensors.insert("b".into(), Tensor::i64([1], vec![2]));
    file.write_atomic(&path).expect("writes");
    let bytes = fs::read(&path).expect("reads");
    let views = SafeTensors::deserialize(&bytes).expect("valid");
    let at = views.tensor("b").expect("there").data().as_ptr() as usize - bytes.as_ptr() as usize;
    assert_eq!(at % 8, 0);
}

#[test]
fn equal_content_gives_equal_bytes() {
    let (folder, path) = folder();
    example().write_atomic(&path).expect("writes");
    let first = fs::read(&path).expect("reads");
    for round in 0..8 {
        let again = folder.path().join(format!("{round}.safetensors"));
        let copy = TensorFile::read(&path).expect("reads");
        copy.write_atomic(&again).expect("writes");
        assert_eq!(fs::read(&again).expect("reads"), first);
    }
}

#[test]
fn narrow_and_wide_floats_become_f32() {
    let (_folder, path) = folder();
    // 1.5, −2 and the smallest positive number of each format, by their published bit patterns.
    let f16 = [0x3e00u16, 0xc000, 0x0001].map(u16::to_le_bytes).concat();
    let bf16 = [0x3fc0u16, 0xc000, 0x0001].map(u16::to_le_bytes).concat();
    let f64 = [1.5f64, -2.0, 1e-320].map(f64::to_le_bytes).concat();
    let view = |dtype, bytes| TensorView::new(dtype, vec![3], bytes).expect("valid");
    let tensors = HashMap::from([
        ("f16", view(Dtype::F16, &f16)),
        ("bf16", view(Dtype::BF16, &bf16)),
        ("f64", view(Dtype::F64, &f64)),
    ]);
    fs::write(&path, safetensors::serialize(tensors, None).expect("serializes")).expect("writes");
    let file = TensorFile::read(&path).expect("reads");
    let values = |name: &str| file.tensors[name].data.clone();
    assert_eq!(values("f16"), TensorData::F32(vec![1.5, -2.0, 2f32.powi(-24)]));
    assert_eq!(values("bf16"), TensorData::F32(vec![1.5, -2.0, 2f64.powi(-133) as f32]));
    assert_eq!(values("f64"), TensorData::F32(vec![1.5, -2.0, 0.0]));
}

#[test]
fn a_double_too_large_for_f32_is_refused() {
    let (_folder, path) = folder();
    raw(&path, r#"{"w":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}"#, &1e300f64.to_le_bytes());
    let message = TensorFile::read(&path).expect_err("refused").to_string();
    assert!(message.contains("`w`") && message.contains("1e300"), "{message}");
}

#[test]
fn other_element_types_are_named() {
    let (_folder, path) = folder();
    raw(&path, r#"{"mask":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#, &[0, 1]);
    let error = TensorFile::read(&path).expect_err("refused");
    assert!(matches!(&error, SafetensorsError::UnsupportedType { tensor, .. } if tensor == "mask"));
    assert!(error.to_string().contains("U8"), "{error}");
}

#[test]
fn hostile_headers_are_errors_that_name_the_file() {
    let (_folder, path) = folder();
    let one = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let huge = u64::MAX.to_string();
    let headers = [
        one("F32", "[2]", "[0,4]"),
        one("F32", "[2]", "[4,12]"),
        one("F32", "[2]", "[8,0]"),
        one("F32", "[1099511627776]", "[0,4398046511104]"),
        one("F32", "[4294967296,4294967296]", "[0,0]"),
        one("F32", &format!("[{huge}]"), &format!("[0,{huge}]")),
        one("F4", &format!("[{huge}]"), &format!("[0,{huge}]")),
        one("F4", "[36893488147419103230]", "[0,8]"),
        one("F32", "[-1]", "[0,8]"),
        one("F99", "[2]", "[0,8]"),
        r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#.into(),
        r#"{"__metadata__":{"a":1}}"#.into(),
        "[".repeat(100_000),
        "not json".into(),
        String::new(),
    ];
    for header in headers {
        raw(&path, &header, &[0; 8]);
        let error = TensorFile::read(&path).expect_err(&header);
        assert!(matches!(error, SafetensorsError::Format { .. }), "{header}: {error:?}");
        assert!(error.to_string().contains("best.safetensors"), "{error}");
    }
}

#[test]
fn a_header_length_beyond_the_file_is_refused_before_reading() {
    let (_folder, path) = folder();
    for claimed in [u64::MAX, u64::MAX - 8, 1 << 40, 100_000_001, 9] {
        let mut bytes = claimed.to_le_bytes().to_vec();
        bytes.extend([b' '; 8]);
        fs::write(&path, bytes).expect("writes");
        let message = TensorFile::read(&path).expect_err("refused").to_string();
        assert!(message.contains(&claimed.to_string()), "{message}");
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let (_folder, path) = folder();
    example().write_atomic(&path).expect("writes");
    let whole = fs::read(&path).expect("reads");
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).expect("writes");
        let error = TensorFile::read(&path).expect_err("truncated");
        assert!(matches!(error, SafetensorsError::Format { .. }), "{length}: {error:?}");
    }
}

#[test]
fn flipped_header_bits_never_panic() {
    let (_folder, path) = folder();
    example().write_atomic(&path).expect("writes");
    let whole = fs::read(&path).expect("reads");
    // Five shares no factor with eight: every byte is changed, each in another bit than its neighbor.
    for bit in (0..whole.len() * 8).step_by(5) {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, bytes).expect("writes");
        let _ = TensorFile::read(&path);
    }
}

#[test]
fn missing_files_and_folders_are_named() {
    let (folder, path) = folder();
    let message = TensorFile::read(&path).expect_err("missing").to_string();
    assert!(message.contains("best.safetensors") && message.contains("check the path"), "{message}");
    let message = TensorFile::read(folder.path()).expect_err("folder").to_string();
    assert!(message.contains("it is a folder"), "{message}");
}

#[test]
fn a_write_that_fails_midway_leaves_the_old_file() {
    let (folder, path) = folder();
    example().write_atomic(&path).expect("writes");
    let before = fs::read(&path).expect("reads");
    let error = write_atomic(&path, |writer| {
        // More than any buffer, so that some of it is on the disk when the error occurs.
        writer.write_all(&vec![7; 1 << 20])?;
        Err(io::Error::from(ErrorKind::StorageFull))
    })
    .expect_err("the disk is full");
    assert_eq!(fs::read(&path).expect("reads"), before);
    assert_eq!(fs::read_dir(folder.path()).expect("lists").count(), 1, "temporary file left behind");
    let message = error.to_string();
    assert!(message.contains("best.safetensors") && message.contains("free some disk space"), "{message}");
}

/// The old content must be in place until the new one is complete. A crash leaves the folder as it is at that moment.
#[test]
fn the_old_file_is_there_while_the_new_one_is_written() {
    let (_folder, path) = folder();
    fs::write(&path, "old").expect("writes");
    write_atomic(&path, |writer| {
        writer.write_all(&vec![7; 1 << 20])?;
        writer.flush()?;
        assert_eq!(fs::read(&path)?, b"old");
        Ok(())
    })
    .expect("writes");
    assert_eq!(fs::read(&path).expect("reads").len(), 1 << 20);
}

#[test]
fn contradictory_tensors_are_refused_and_nothing_is_written() {
    let (_folder, path) = folder();
    example().write_atomic(&path).expect("writes");
    let before = fs::read(&path).expect("reads");
    let wrong = [
        ("fc.weight", Tensor::f32([2, 2], vec![0.0; 3])),
        ("fc.weight", Tensor::f32([usize::MAX, 2], vec![0.0; 3])),
        ("__metadata__", Tensor::f32([1], vec![0.0])),
    ];
    for (name, tensor) in wrong {
        let mut file = example();
        file.tensors.insert(name.into(), tensor);
        let error = file.write_atomic(&path).expect_err("refused");
        assert!(matches!(&error, SafetensorsError::InvalidTensor { tensor, .. } if tensor == name), "{error:?}");
        assert_eq!(fs::read(&path).expect("reads"), before);
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let (folder, path) = folder();
    fs::write(&path, "in the way").expect("writes");
    let below_a_file = path.join("best.safetensors");
    let in_no_folder = folder.path().join("nowhere/best.safetensors");
    let a_folder = folder.path().join("taken");
    fs::create_dir_all(a_folder.join("inside")).expect("creates");
    for target in [below_a_file, in_no_folder, a_folder] {
        let message = example().write_atomic(&target).expect_err("refused").to_string();
        assert!(message.contains(&target.display().to_string()), "{message}");
    }
    assert_eq!(fs::read_to_string(&path).expect("reads"), "in the way");
}

#[cfg(unix)]
#[test]
fn checkpoints_get_the_permissions_of_ordinary_files() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = folder();
    example().write_atomic(&path).expect("writes");
    let ordinary = folder.path().join("ordinary");
    fs::write(&ordinary, "").expect("writes");
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode();
    assert_eq!(mode(&path), mode(&ordinary));
}

/// Sparse files of 20 GB: sizes in the header are checked before memory is reserved, and tensors are read one at a time.
#[test]
fn a_large_file_is_refused_by_its_header() {
    const LARGE: u64 = 20_000_000_000;
    let (_folder, path) = folder();
    let grown = |length| fs::File::options().write(true).open(&path).expect("opens").set_len(length).expect("grows");
    let refusal = || TensorFile::read(&path).expect_err("refused").to_string();

    raw(&path, "", &[]);
    grown(LARGE);
    assert!(refusal().contains("header"), "{}", refusal());

    let header = r#"{"x":{"dtype":"F32","shape":[1000],"data_offsets":[0,4000]}}"#;
    raw(&path, header, &[]);
    grown(LARGE);
    assert!(refusal().contains("do not end where the file ends"), "{}", refusal());

    let both = r#"{"x":{"dtype":"F32","shape":[5000000000],"data_offsets":[0,20000000000]},"y":{"dtype":"F32","shape":[1],"data_offsets":[20000000000,20000000004]}}"#;
    raw(&path, both, &[]);
    grown(8 + both.len() as u64 + LARGE + 4);
    let file = WeightFile::open(&path).expect("opens");
    assert_eq!(file.shape("x"), Some(&[5_000_000_000][..]));
    assert_eq!(file.read("y").expect("reads").data, TensorData::F32(vec![0.0]));
}
