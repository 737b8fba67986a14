//! Tables of images and masks: the meaning of their columns, and other files beside them.

use std::fmt::Write;
use std::path::Path;

use shadegrad::data::{SegmentationSplits, Why};

use super::{HEIGHT, WIDTH, save_grey, segmentation, stripes, write};
use crate::{picture, refused, save, slashed, temp};

/// Eight pictures and eight masks in two folders. Paired files have different names.
fn files(root: &Path, [images, masks]: [&str; 2]) {
    for k in 0..8 {
        save(&root.join(format!("{images}/{k}.png")), &picture(WIDTH, HEIGHT, k));
        save_grey(&root.join(format!("{masks}/{k}.png")), &stripes(if k % 2 == 0 { &[0, 1, 2] } else { &[0, 1] }));
    }
}

/// Lines in which `{i}` is the number of an image, and `{m}` that of its mask.
fn lines(form: &str, numbers: std::ops::Range<u32>) -> String {
    numbers.fold(String::new(), |mut text, k| {
        let part = if k < 6 { "train" } else { "val" };
        let line = form.replace("{i}", &k.to_string()).replace("{m}", &(7 - k).to_string()).replace("{part}", part);
        writeln!(text, "{line}").unwrap();
        text
    })
}

/// Image 0 has mask 7, and so on.
fn are_paired(splits: &SegmentationSplits) {
    for part in [&splits.train, &splits.val] {
        for index in 0..part.len() {
            let number = |name: String| name.rsplit(['/', '\\']).next().unwrap()[..1].parse::<u32>().unwrap();
            let (image, mask) = (slashed(part.name(index)), part.mask_name(index));
            assert!(image.contains("img") || image.contains("a/"), "{image}");
            assert_eq!(number(image), 7 - number(mask));
        }
    }
}

#[test]
fn columns_are_read_by_their_names_folders_and_pixels() {
    let heads = [
        ("image,mask\n", "img/{i}.png,msk/{m}.png"),
        ("mask,image\n", "msk/{m}.png,img/{i}.png"),
        ("label_path,filename\n", "msk/{m}.png,img/{i}.png"),
        ("a,b\n", "msk/{m}.png,img/{i}.png"),
        ("", "msk/{m}.png,img/{i}.png"),
        ("", "img/{i}.png,msk/{m}.png"),
        (",image,mask\n", "{m},img/{i}.png,msk/{m}.png"),
        ("Unnamed: 0,mask,image\n", "{i},msk/{m}.png,img/{i}.png"),
        ("image,mask,preview\n", "img/{i}.png,msk/{m}.png,img/{m}.png"),
    ];
    for (head, form) in heads {
        let dir = temp();
        files(dir.path(), ["img", "msk"]);
        write(&dir.path().join("train.csv"), format!("{head}{}", lines(form, 0..6)));
        write(&dir.path().join("val.csv"), format!("{head}{}", lines(form, 6..8)));
        let splits = segmentation(dir.path()).unwrap_or_else(|e| panic!("{head}{form}: {e}"));
        assert_eq!((splits.train.len(), splits.val.len()), (6, 2), "{head}{form}");
        are_paired(&splits);
    }
    // Lists of text, with the masks first.
    let dir = temp();
    files(dir.path(), ["img", "msk"]);
    write(&dir.path().join("train.txt"), lines("msk/{m}.png img/{i}.png", 0..6));
    write(&dir.path().join("val.txt"), lines("msk/{m}.png img/{i}.png", 6..8));
    let splits = segmentation(dir.path()).unwrap();
    are_paired(&splits);
    assert!(splits.decisions.notes.iter().any(|note| note.contains("masks before the images")));
}

#[test]
fn one_table_may_hold_all_pairs_and_their_parts() {
    let dir = temp();
    files(dir.path(), ["img", "msk"]);
    let table = dir.path().join("data.csv");
    write(&table, format!("mask,image,split\n{}", lines("msk/{m}.png,img/{i}.png,{part}", 0..8)));
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (6, 2, false));
    are_paired(&splits);
    write(&table, format!("image,mask\n{}", lines("img/{i}.png,msk/{m}.png", 0..6)));
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.train.len() + splits.val.len(), splits.by_seed), (6, true));
    are_paired(&splits);
    let left_out = &splits.decisions.left_out;
    assert_eq!(left_out.iter().filter(|one| one.why == Why::InNoList).count(), 4, "{left_out:?}");
    assert_eq!(left_out.len(), 4);
    // Lists of the images divide it.
    write(&dir.path().join("train.txt"), lines("img/{i}.png", 0..4));
    write(&dir.path().join("val.txt"), lines("img/{i}.png", 4..6));
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len()), (4, 2));
    are_paired(&splits);
    // Names alone: the image lies in no folder of masks.
    let dir = temp();
    files(dir.path(), ["a/images", "a/masks"]);
    for (name, text) in [
        ("data.csv", format!("image,mask\n{}", lines("{i}.png,{m}.png", 0..8))),
        ("pairs.txt", lines("a/images/{i}.png a/masks/{m}.png", 0..8)),
        ("metadata.jsonl", lines("{\"mask\": \"a/masks/{m}.png\", \"file_name\": \"a/images/{i}.png\"}", 0..8)),
        ("data.json", {
            let pair = |k: u32| serde_json::json!({"image": format!("{k}.png"), "mask": format!("{}.png", 7 - k)});
            (0..8).map(pair).collect::<serde_json::Value>().to_string()
        }),
    ] {
        write(&dir.path().join(name), text);
        are_paired(&segmentation(dir.path()).unwrap_or_else(|error| panic!("{name}: {error}")));
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    let pairs = |rows: std::ops::Range<u32>| -> Vec<[String; 2]> {
        rows.map(|k| [format!("a/images/{k}.png"), format!("a/masks/{}.png", 7 - k)]).collect()
    };
    let text = serde_json::json!({"train": pairs(0..6), "val": pairs(6..8)}).to_string();
    write(&dir.path().join("split.json"), text);
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len()), (6, 2));
    are_paired(&splits);
    // Folders whose files have equal names, and a table that pairs them in another way.
    let dir = temp();
    files(dir.path(), ["a/images", "a/masks"]);
    write(&dir.path().join("pairs.csv"), format!("image,mask\n{}", lines("a/images/{i}.png,a/masks/{m}.png", 0..8)));
    are_paired(&segmentation(dir.path()).unwrap());
}

#[test]
fn tables_with_two_readings_are_refused() {
    let dir = temp();
    files(dir.path(), ["images", "masks"]);
    let table = dir.path().join("data.csv");
    write(&table, format!("mask,image\n{}", lines("images/{i}.png,masks/{m}.png", 0..8)));
    refused(segmentation(dir.path()), &["data.csv", "column 'mask'", "column 'image'", "folder of masks"]);
    write(&table, format!("image,mask\n{}", lines("images/{i}.png,masks/{m}.png", 0..8)));
    write(&dir.path().join("more.csv"), format!("image,mask\n{}", lines("images/{i}.png,masks/{i}.png", 0..8)));
    refused(segmentation(dir.path()), &["more.csv", "data.csv", "keep one"]);
    // An image with two masks, another pairing in a list, folds.
    std::fs::remove_file(dir.path().join("more.csv")).unwrap();
    let good = format!("image,mask\n{}", lines("images/{i}.png,masks/{m}.png", 0..8));
    write(&table, format!("{good}images/0.png,masks/0.png\nimages/1.png,masks/6.png\n"));
    refused(
        segmentation(dir.path()),
        &["data.csv, line 10", "images/0.png", "masks/0.png here", "masks/7.png in", "line 2"],
    );
    write(&table, &good);
    for (name, form) in [("train.txt", "images/{i}.png,masks/{i}.png"), ("pairs.txt", "images/{i}.png masks/{m}.png")] {
        write(&dir.path().join(name), lines(form, 0..6));
        refused(segmentation(dir.path()), &[name, "data.csv"]);
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    write(
        &table,
        format!("image,mask,fold\n{}", lines("images/{i}.png,masks/{m}.png,{m}", 0..8).replace(",7\n", ",6\n")),
    );
    refused(segmentation(dir.path()), &["data.csv", "'fold' looks like folds"]);
    // Drawings and masks, without a name that says which are which.
    let dir = temp();
    files(dir.path(), ["x", "msk"]);
    for k in 0..8 {
        save_grey(&dir.path().join(format!("img/{k}.png")), &stripes(&[9, 4, 0, 7]));
    }
    for part in ["train", "val"] {
        let rows = if part == "train" { 0..6 } else { 6..8 };
        write(&dir.path().join(format!("{part}.csv")), format!("a,b\n{}", lines("msk/{m}.png,img/{i}.png", rows)));
    }
    refused(segmentation(dir.path()), &["train.csv", "'a' and 'b'", "few colors", "mask"]);
    // A table named after a part, with a column that names other parts.
    let dir = temp();
    files(dir.path(), ["img", "msk"]);
    let table = |rows| format!("image,mask,split\n{}", lines("img/{i}.png,msk/{m}.png,{part}", rows));
    write(&dir.path().join("train.csv"), table(0..8));
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (6, 2, false));
    write(&dir.path().join("val.csv"), table(4..8));
    refused(segmentation(dir.path()), &["train.csv", "line 8", "'val'", "train"]);
}
