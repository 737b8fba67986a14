//! Python's pickle is a program for a stack machine whose instructions may call any function. This machine has the instructions
//! that plain values need, and a list of globals ([`Global`]). A call becomes a value that names the global and its arguments.
//! Every other instruction or global is an error that names it.

use std::collections::HashMap;

use super::globals::{Global, global};
use super::value::{Id, PickleError, Value};

/// The stack machine.
#[derive(Default)]
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    /// Position of the next byte.
    at: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Lengths of the stack at its marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    /// A machine at the start of a pickle.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Machine { bytes, ..Machine::default() }
    }

    /// The values so far, and the number of bytes read.
    pub(super) fn end(self) -> (Vec<Value<'a>>, usize) {
        (self.values, self.at)
    }

    /// Runs one instruction. The last one returns the result.
    pub(super) fn step(&mut self) -> Result<Option<Id>, PickleError> {
        let opcode = self.byte()?;
        match opcode {
            b'.' => return self.pop().map(Some),
            0x80 => drop(self.take(1)?), // PROTO
            0x95 => drop(self.take(8)?), // FRAME
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.since_mark()?),
            b'N' => self.push(Value::Other),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'K' | b'M' | b'J' | 0x8a | 0x8b | b'G' => self.number(opcode)?,
            b'X' | 0x8c | 0x8d | b'U' | b'T' | b'C' | b'B' | 0x8e => self.string(opcode)?,
            b')' => self.push(Value::Tuple(vec![])),
            0x85..=0x87 => self.tuple(usize::from(opcode - 0x84))?,
            b't' => {
                let items = self.since_mark()?;
                self.push(Value::Tuple(items));
            }
            b']' => self.push(Value::List(vec![])),
            b'}' => self.push(Value::Dict(vec![])),
            0x8f => self.push(Value::Other), // EMPTY_SET
            0x91 => {
                self.since_mark()?; // FROZENSET
                self.push(Value::Other);
            }
            b'a' | b'e' | 0x90 => self.append(opcode == b'a')?,
            b's' | b'u' => self.set_items(opcode == b's')?,
            b'h' | b'j' | b'q' | b'r' | 0x94 => self.memo(opcode)?,
            b'c' | 0x93 => self.global(opcode == b'c')?,
            b'R' | 0x81 => self.call()?,
            b'b' => drop(self.pop()?), // BUILD: attributes of an object
            b'Q' => {
                let description = self.pop()?;
                self.push(Value::Storage(description));
            }
            other => return Err(unknown(other)),
        }
        Ok(None)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], PickleError> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| format_error("its pickle ends in the middle of a value: truncated"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, PickleError> {
        Ok(self.take(1)?[0])
    }

    /// A little-endian number of `width` bytes.
    fn length(&mut self, width: usize) -> Result<usize, PickleError> {
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(self.take(width)?);
        usize::try_from(u64::from_le_bytes(wide)).map_err(|_| format_error("its pickle is truncated"))
    }

    fn line(&mut self) -> Result<&'a str, PickleError> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().take(1 << 10).position(|byte| *byte == b'\n');
        let line = self.take(length.ok_or_else(|| format_error("a name in its pickle has no end"))?)?;
        self.at += 1;
        std::str::from_utf8(line).map_err(|_| format_error("a name in its pickle is no UTF-8"))
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(self.values.len() as Id);
        self.values.push(value);
    }

    /// The top of the stack above the last mark.
    fn pop(&mut self) -> Result<Id, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let top = if self.stack.len() > floor { self.stack.pop() } else { None };
        top.ok_or_else(|| format_error("its pickle takes a value from an empty stack"))
    }

    fn top(&mut self) -> Result<&mut Value<'a>, PickleError> {
        let top = self.stack.last().ok_or_else(|| format_error("its pickle takes a value from an empty stack"))?;
        Ok(&mut self.values[*top as usize])
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let mark = self.marks.pop().ok_or_else(|| format_error("its pickle has no mark where it needs one"))?;
        Ok(self.stack.split_off(mark))
    }

    fn number(&mut self, opcode: u8) -> Result<(), PickleError> {
        let bytes = match opcode {
            b'K' | b'M' => {
                let number = self.length(if opcode == b'K' { 1 } else { 2 })? as i64;
                self.push(Value::Int(number));
                return Ok(());
            }
            b'J' => self.take(4)?,
            b'G' => {
                self.take(8)?;
                self.push(Value::Other);
                return Ok(());
            }
            wide => {
                let length = self.length(if wide == 0x8a { 1 } else { 4 })?;
                self.take(length)?
            }
        };
        // Two's complement of any length; the sign is in the last byte.
        let negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        match wide.get_mut(..bytes.len()) {
            Some(low) => {
                low.copy_from_slice(bytes);
                self.push(Value::Int(i64::from_le_bytes(wide)));
            }
            None => self.push(Value::Long(bytes)),
        }
        Ok(())
    }

    /// Text, Python 2's strings, and bytes.
    fn string(&mut self, opcode: u8) -> Result<(), PickleError> {
        let width = match opcode {
            0x8c | b'U' | b'C' => 1,
            0x8d | 0x8e => 8,
            _ => 4,
        };
        let length = self.length(width)?;
        let bytes = self.take(length)?;
        let bytes_type = matches!(opcode, b'C' | b'B' | 0x8e);
        match std::str::from_utf8(bytes) {
            Ok(text) if !bytes_type => self.push(Value::Text(text)),
            _ => self.push(Value::Other),
        }
        Ok(())
    }

    fn tuple(&mut self, length: usize) -> Result<(), PickleError> {
        let mut items = (0..length).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        self.push(Value::Tuple(items));
        Ok(())
    }

    /// Appends to a list. The items of a set are dropped.
    fn append(&mut self, one: bool) -> Result<(), PickleError> {
        let items = if one { vec![self.pop()?] } else { self.since_mark()? };
        match self.top()? {
            Value::List(list) => list.extend(items),
            Value::Other => {}
            _ => return Err(format_error("its pickle appends to what is no list")),
        }
        Ok(())
    }

    fn set_items(&mut self, one: bool) -> Result<(), PickleError> {
        let items = if one {
            let value = self.pop()?;
            vec![self.pop()?, value]
        } else {
            self.since_mark()?
        };
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(format_error("its pickle has a key without a value"));
        }
        match self.top()? {
            Value::Dict(dict) => dict.extend(pairs.iter().map(|&[key, value]| (key, value))),
            Value::Other => {}
            _ => return Err(format_error("its pickle sets an item of what is no dict")),
        }
        Ok(())
    }

    /// Stores the top of the stack in the memo, or pushes a stored value.
    fn memo(&mut self, opcode: u8) -> Result<(), PickleError> {
        let index = match opcode {
            0x94 => self.memo.len(),
            b'h' | b'q' => self.length(1)?,
            _ => self.length(4)?,
        } as u32;
        if matches!(opcode, b'h' | b'j') {
            let known = self.memo.get(&index).copied();
            self.stack.push(known.ok_or_else(|| format_error("its pickle refers to a value that it lacks"))?);
            return Ok(());
        }
        let top =
            self.stack.last().copied().ok_or_else(|| format_error("its pickle stores a value of an empty stack"))?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn global(&mut self, lines: bool) -> Result<(), PickleError> {
        let (module, name) = if lines {
            (self.line()?, self.line()?)
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            let text = |id: Id| if let Value::Text(text) = self.values[id as usize] { Some(text) } else { None };
            text(module)
                .zip(text(name))
                .ok_or_else(|| format_error("its pickle names a function by what is no text"))?
        };
        let known = global(module, name).ok_or_else(|| PickleError::Global(format!("{module}.{name}")))?;
        self.push(Value::Global(known));
        Ok(())
    }

    /// The value that stands for a call or a new object.
    fn call(&mut self) -> Result<(), PickleError> {
        let (arguments, callable) = (self.pop()?, self.pop()?);
        let Value::Global(callable) = self.values[callable as usize] else {
            return Err(format_error("its pickle calls what is no function"));
        };
        let Value::Tuple(items) = &self.values[arguments as usize] else {
            return Err(format_error("its pickle calls a function without a tuple of arguments"));
        };
        let value = match callable {
            Global::Dict => Value::Dict(self.pairs(items)),
            Global::RebuildTensor => Value::Tensor(arguments),
            // The first argument is the tensor.
            Global::RebuildParameter => match items.first() {
                Some(&tensor) => {
                    self.stack.push(tensor);
                    return Ok(());
                }
                None => return Err(format_error("its pickle has a parameter without a tensor")),
            },
            Global::Storage(_) | Global::Inert => Value::Other,
        };
        self.push(value);
        Ok(())
    }

    /// The pairs in the arguments of a dict, as Python 2 stores the items of an `OrderedDict`.
    fn pairs(&self, arguments: &[Id]) -> Vec<(Id, Id)> {
        let items = |id: Id| match &self.values[id as usize] {
            Value::List(items) | Value::Tuple(items) => items.as_slice(),
            _ => &[],
        };
        let listed = arguments.first().map_or(&[][..], |id| items(*id));
        listed
            .iter()
            .filter_map(|pair| <[Id; 2]>::try_from(items(*pair)).ok())
            .map(|[key, value]| (key, value))
            .collect()
    }
}

fn format_error(reason: &str) -> PickleError {
    PickleError::Format(reason.to_owned())
}

/// An instruction that no weights need.
fn unknown(opcode: u8) -> PickleError {
    let name = match opcode {
        b'i' => "INST",
        b'o' => "OBJ",
        b'P' => "PERSID",
        b'd' => "DICT",
        b'l' => "LIST",
        b'I' => "INT",
        b'L' => "LONG",
        b'F' => "FLOAT",
        b'S' => "STRING",
        b'V' => "UNICODE",
        b'g' => "GET",
        b'p' => "PUT",
        b'2' => "DUP",
        0x82..=0x84 => "EXT",
        0x92 => "NEWOBJ_EX",
        0x96 => "BYTEARRAY8",
        0x97 => "NEXT_BUFFER",
        0x98 => "READONLY_BUFFER",
        _ => {
            return PickleError::Format(format!(
                "its pickle has the byte {opcode:#04x} where an instruction is expected"
            ));
        }
    };
    PickleError::Format(format!("its pickle has the instruction {name}, which no weights need"))
}
