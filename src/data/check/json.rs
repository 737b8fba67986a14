//! A check's result for programs. Its keys are part of the interface: `docs/data.md` lists them.

use serde_json::{Map, Value, json};

use super::report::{CheckReport, ClassCount, Fault, PartCount};
use crate::data::MissingHint;

impl CheckReport {
    /// The whole result, with the same keys whatever was found.
    pub fn json(&self) -> Value {
        let decisions = &self.decisions;
        let notes: Vec<&String> = self.notes.iter().chain(&decisions.notes).collect();
        let left_out = decisions.left_out.iter().map(|one| {
            let path = one.path.display().to_string();
            json!({ "path": path, "why": one.why.to_string() })
        });
        json!({
            "task": self.task,
            "path": self.path.display().to_string(),
            "format": self.format,
            "is_good": self.is_good(),
            "recognized_by": decisions.evidence,
            "split": decisions.split,
            "lists": decisions.lists,
            "columns": decisions.columns,
            "orientation": decisions.orientation,
            "ignored": decisions.ignored,
            "parts": self.parts.iter().map(part).collect::<Vec<_>>(),
            "unit": self.unit,
            "classes": self.classes.iter().map(|class| self.class(class)).collect::<Vec<_>>(),
            "faults": self.faults.iter().map(fault).collect::<Vec<_>>(),
            "notes": notes,
            "left_out": left_out.collect::<Vec<_>>(),
        })
    }

    fn class(&self, class: &ClassCount) -> Value {
        let counts = self.parts.iter().zip(&class.counts);
        let counts: Map<String, Value> = counts.map(|(part, count)| (part.name.to_string(), json!(count))).collect();
        let from = self.decisions.classes.iter().find(|reading| reading.name == class.name);
        json!({ "name": class.name, "from": from.map_or("", |reading| reading.from.as_str()), "counts": counts })
    }
}

fn part(part: &PartCount) -> Value {
    let PartCount { name, images, good, sizes, grey } = part;
    let [smallest, largest] = match sizes {
        Some(sizes) => sizes.map(|(width, height)| json!([width, height])),
        None => [Value::Null, Value::Null],
    };
    json!({
        "name": name, "images": images, "good": good, "grey": grey,
        "smallest_size": smallest, "largest_size": largest,
    })
}

fn fault(fault: &Fault) -> Value {
    let file = Some(&fault.file).filter(|file| !file.is_empty());
    let hint = match fault.hint {
        None => Value::Null,
        Some(MissingHint::Columns) => json!({ "path_column": null, "label_column": null }),
        Some(MissingHint::ImageRoot) => json!({ "image_root": null }),
        Some(MissingHint::MaskThreshold(value)) => json!({ "mask_threshold": value }),
        Some(MissingHint::SeveralLabels) => json!({ "task": "multi-label" }),
    };
    json!({ "file": file, "what": fault.what, "hint": hint })
}
