//! Columns of tables.

use std::fs;
use std::sync::Arc;

use shadegrad::data::ClassificationDataset;

use crate::{open, picture, refused, save, temp};

fn labels(set: &Arc<dyn ClassificationDataset>) -> Vec<(String, String)> {
    let name = |i| set.path(i).unwrap().file_name().unwrap().to_string_lossy().into_owned();
    let class = |i| set.class_names()[set.label(i) as usize].clone();
    (0..set.len()).map(|i| (name(i), class(i))).collect()
}

#[test]
fn columns_of_tables_are_recognized_from_the_data() {
    let dir = temp();
    for number in 0..8 {
        save(&dir.path().join(format!("train_images/p{number}.png")), &picture(9, 7, number));
    }
    let class = |number: usize| ["cat", "dog"][number % 2];
    let rows = |form: &str| -> String {
        let row = |number: usize| {
            let one = |class: &str| if class == class_of(number) { "1" } else { "0" };
            form.replace("{n}", &number.to_string())
                .replace("{c}", class(number))
                .replace("{cat}", one("cat"))
                .replace("{dog}", one("dog"))
                .replace("{p}", ["train", "valid"][usize::from(number >= 6)])
        };
        (0..8).map(|number| row(number) + "\n").collect()
    };
    let utf16 = |text: String| [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    for (header, form, by_seed) in [
        ("id_code,diagnosis\n", "p{n},{c}", true),
        ("Image,Breed\n", "p{n}.png,{c}", true),
        ("path,label\n", "train_images\\p{n}.png,{c}", true),
        ("", "train_images/p{n}.png,{c}", true),
        ("Image\tcat\tdog\n", "p{n}.png\t{cat}\t{dog}", true),
        ("nr,file,what,part\n", "", false),
        ("file,label,phase\n", "p{n},{c},{p}", false),
        ("which,what,usage\n", "/kaggle/input/train_images/p{n}.png,{c},{p}", false),
    ] {
        let form = if form.is_empty() { "{n},p{n}.png,{c},{p}" } else { form };
        let table = dir.path().join("labels.csv");
        for bytes in [(header.to_string() + &rows(form)).into_bytes(), utf16(header.to_string() + &rows(form))] {
            fs::write(&table, bytes).unwrap();
            if header.starts_with("nr,") {
                // Row numbers could be labels too.
                refused(open(&table), &["several columns may hold the labels", "'what' (such as 'cat')"]);
                continue;
            }
            let splits = open(&table).unwrap_or_else(|e| panic!("{header}: {e}"));
            assert_eq!(splits.by_seed, by_seed, "{header}");
            let mut all = [labels(&splits.train), labels(&splits.val)].concat();
            all.sort();
            let expected: Vec<_> = (0..8).map(|n| (format!("p{n}.png"), class(n).to_string())).collect();
            assert_eq!(all, expected, "{header}");
        }
    }
    let table = dir.path().join("labels.csv");
    fs::write(&table, "image,cat,dog\np0.png,1,1\np1.png,0,1\n").unwrap();
    refused(open(&table), &["labels.csv, line 2", "2 classes", "multi-label"]);
    fs::write(&table, "when,what\nmonday,cat\ntuesday,dog\n").unwrap();
    refused(open(&table), &["no column names image files", "'when' (such as 'monday')"]);
}

fn class_of(number: usize) -> &'static str {
    ["cat", "dog"][number % 2]
}
