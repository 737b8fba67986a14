//! Reads an ONNX file by the field numbers of `onnx.proto`, without the crate's writer.

use std::collections::BTreeMap;

/// A tensor. Whole numbers of the tests are exact in f64.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

#[derive(Debug)]
pub enum Attribute {
    Int(i64),
    Ints(Vec<i64>),
    Float(f64),
    Text(String),
}

#[derive(Debug)]
pub struct Node {
    pub operator: String,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub attributes: BTreeMap<String, Attribute>,
}

/// Name, axes and description.
pub type Port = (String, Vec<String>, String);

#[derive(Debug, Default)]
pub struct Model {
    pub ir_version: u64,
    pub opset: u64,
    pub producer: String,
    pub about: String,
    pub metadata: BTreeMap<String, String>,
    pub nodes: Vec<Node>,
    pub constants: BTreeMap<String, Tensor>,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
}

enum Field<'a> {
    Number(u64),
    Fixed(u32),
    Bytes(&'a [u8]),
}

impl<'a> Field<'a> {
    fn number(&self) -> u64 {
        if let Field::Number(v) = self { *v } else { panic!("not a number") }
    }
    fn bytes(&self) -> &'a [u8] {
        if let Field::Bytes(v) = self { v } else { panic!("no bytes") }
    }
    fn text(&self) -> String {
        String::from_utf8(self.bytes().to_vec()).expect("UTF-8")
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (&byte, rest) = bytes.split_first().expect("a whole number");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

/// Fields of a message in their order.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut found = vec![];
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let length = match key & 7 {
            0 => {
                found.push((key >> 3, Field::Number(varint(&mut bytes))));
                continue;
            }
            2 => varint(&mut bytes) as usize,
            5 => 4,
            other => panic!("wire type {other}"),
        };
        let (value, rest) = bytes.split_at(length);
        bytes = rest;
        let fixed = || u32::from_le_bytes(value.try_into().expect("four bytes"));
        found.push((key >> 3, if key & 7 == 5 { Field::Fixed(fixed()) } else { Field::Bytes(value) }));
    }
    found
}

pub fn model(bytes: &[u8]) -> Model {
    let mut model = Model::default();
    for (number, field) in fields(bytes) {
        match number {
            1 => model.ir_version = field.number(),
            2 => model.producer = field.text(),
            3 => model.producer += &format!(" {}", field.text()),
            6 => model.about = field.text(),
            7 => graph(&mut model, field.bytes()),
            8 => {
                let set = fields(field.bytes());
                assert!(set.iter().filter(|(n, _)| *n == 1).all(|(_, domain)| domain.text().is_empty()));
                model.opset = set.iter().find(|(n, _)| *n == 2).expect("a version").1.number();
            }
            14 => {
                let pair: Vec<_> = fields(field.bytes()).iter().map(|(_, f)| f.text()).collect();
                model.metadata.insert(pair[0].clone(), pair[1].clone());
            }
            other => panic!("field {other} of a model"),
        }
    }
    model
}

fn graph(model: &mut Model, bytes: &[u8]) {
    for (number, field) in fields(bytes) {
        match number {
            1 => model.nodes.push(node(field.bytes())),
            2 => assert!(!field.text().is_empty(), "a graph has a name"),
            5 => {
                let (name, tensor) = tensor(field.bytes());
                assert!(model.constants.insert(name.clone(), tensor).is_none(), "two constants {name}");
            }
            11 => model.inputs.push(port(field.bytes())),
            12 => model.outputs.push(port(field.bytes())),
            other => panic!("field {other} of a graph"),
        }
    }
}

fn node(bytes: &[u8]) -> Node {
    let (mut inputs, mut outputs, mut operator, mut attributes) = (vec![], vec![], String::new(), BTreeMap::new());
    for (number, field) in fields(bytes) {
        match number {
            1 => inputs.push(field.text()),
            2 => outputs.push(field.text()),
            3 => {}
            4 => operator = field.text(),
            5 => {
                let (name, value) = attribute(field.bytes());
                attributes.insert(name, value);
            }
            other => panic!("field {other} of a node"),
        }
    }
    Node { operator, inputs, outputs, attributes }
}

/// An attribute. Its value must be in the field of its type.
fn attribute(bytes: &[u8]) -> (String, Attribute) {
    let all = fields(bytes);
    let of = |number: u64| all.iter().filter(move |(n, _)| *n == number).map(|(_, field)| field);
    let one = |number: u64| of(number).next().expect("the value of the type");
    let value = match one(20).number() {
        1 => match one(2) {
            Field::Fixed(bits) => Attribute::Float(f32::from_bits(*bits).into()),
            _ => panic!("a float of four bytes"),
        },
        2 => Attribute::Int(one(3).number() as i64),
        3 => Attribute::Text(one(4).text()),
        7 => Attribute::Ints(of(8).map(|field| field.number() as i64).collect()),
        other => panic!("an attribute of type {other}"),
    };
    (one(1).text(), value)
}

fn tensor(bytes: &[u8]) -> (String, Tensor) {
    let (mut shape, mut name, mut kind, mut raw) = (vec![], String::new(), 0, &[][..]);
    for (number, field) in fields(bytes) {
        match number {
            1 => shape.push(field.number() as usize),
            2 => kind = field.number(),
            8 => name = field.text(),
            9 => raw = field.bytes(),
            other => panic!("field {other} of a tensor"),
        }
    }
    let values: Vec<f64> = match kind {
        1 => raw.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b).into()).collect(),
        7 => raw.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect(),
        other => panic!("a tensor of type {other}"),
    };
    assert_eq!(values.len(), shape.iter().product::<usize>(), "{name}");
    (name, Tensor { shape, values })
}

fn port(bytes: &[u8]) -> Port {
    let (mut name, mut axes, mut about) = (String::new(), vec![], String::new());
    for (number, field) in fields(bytes) {
        match number {
            1 => name = field.text(),
            2 => axes = tensor_axes(field.bytes()),
            3 => about = field.text(),
            other => panic!("field {other} of a value"),
        }
    }
    (name, axes, about)
}

fn tensor_axes(bytes: &[u8]) -> Vec<String> {
    let [(1, tensor)] = &fields(bytes)[..] else { panic!("not the type of a tensor") };
    let [(1, float), (2, shape)] = &fields(tensor.bytes())[..] else { panic!("element type and shape") };
    assert_eq!(float.number(), 1, "floats");
    let dims = fields(shape.bytes());
    let dim = |field: &Field<'_>| match &fields(field.bytes())[..] {
        [(1, size)] => size.number().to_string(),
        [(2, name)] => name.text(),
        _ => panic!("a size or a name"),
    };
    dims.iter().map(|(_, field)| dim(field)).collect()
}
