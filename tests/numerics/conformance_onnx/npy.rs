//! NumPy's .npy files: little-endian f32, f64, i32 and i64 in C order.

use std::fs;
use std::path::Path;

/// A tensor in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

/// Reads a file.
pub fn read(path: &Path) -> Result<Tensor, String> {
    let bytes = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    parse(&bytes).ok_or_else(|| format!("{}: not an .npy file of numbers in C order", path.display()))
}

fn parse(bytes: &[u8]) -> Option<Tensor> {
    let rest = bytes.strip_prefix(b"\x93NUMPY")?;
    // From version 2 on the header's length has four bytes.
    let (len, at) = match rest.first()? {
        1 => (u16::from_le_bytes([*rest.get(2)?, *rest.get(3)?]) as usize, 4),
        _ => (u32::from_le_bytes(rest.get(2..6)?.try_into().ok()?) as usize, 6),
    };
    let header = std::str::from_utf8(rest.get(at..at + len)?).ok()?;
    let data = &rest[at + len..];
    let field = |name: &str| Some(header.split_once(&format!("'{name}':"))?.1.trim_start());
    if !field("fortran_order")?.starts_with("False") {
        return None;
    }
    let dims = field("shape")?.strip_prefix('(')?.split_once(')')?.0;
    let dims = dims.split(',').map(str::trim).filter(|d| !d.is_empty());
    let shape: Vec<usize> = dims.map(|d| d.parse().ok()).collect::<Option<_>>()?;
    let values = match field("descr")?.get(1..4)? {
        "<f4" => elements(data, |b| f32::from_le_bytes(b).into()),
        "<f8" => elements(data, f64::from_le_bytes),
        "<i4" => elements(data, |b| i32::from_le_bytes(b).into()),
        "<i8" => elements(data, |b| i64::from_le_bytes(b) as f64),
        _ => return None,
    };
    (values.len() == shape.iter().product::<usize>()).then_some(Tensor { shape, values })
}

fn elements<const N: usize>(data: &[u8], from: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    data.as_chunks::<N>().0.iter().map(|chunk| from(*chunk)).collect()
}

/// Writes f32 or, with `integer`, i64.
pub fn write(path: &Path, tensor: &Tensor, integer: bool) -> std::io::Result<()> {
    let dims: String = tensor.shape.iter().map(|d| format!("{d}, ")).collect();
    let descr = if integer { "<i8" } else { "<f4" };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}");
    header.push_str(&" ".repeat(63 - (header.len() + 10) % 64));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    for &v in &tensor.values {
        if integer {
            bytes.extend((v as i64).to_le_bytes());
        } else {
            bytes.extend((v as f32).to_le_bytes());
        }
    }
    fs::write(path, bytes)
}

#[test]
fn npy_files_are_read_as_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("x.npy");
    for (shape, integer) in [(vec![], false), (vec![3], true), (vec![2, 3, 1], false)] {
        let values = (0..shape.iter().product()).map(|i: usize| i as f64 - 1.0).collect();
        let tensor = Tensor { shape, values };
        write(&path, &tensor, integer).expect("it can be written");
        assert_eq!(read(&path).expect("it can be read"), tensor);
    }
    fs::write(&path, b"\x93NUMPY\x01\x00\x76").expect("it can be written");
    assert!(read(&path).is_err(), "truncated");
}
