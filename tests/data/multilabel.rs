//! Data sets with several labels per image: each format opens, and ambiguous data is refused.

mod folders;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use shadegrad::data::check::{CheckOptions, check_multi_label};
use shadegrad::data::{
    DataError, ImageDataset, Loader, LoaderOptions, Mix, MixOf, MultiLabelSet, MultiLabelSource, MultiLabelSplits,
    Normalization, OpenOptions, PrepareOptions, Why, open_multi_label, prepare,
};

use crate::{refused, temp};

fn open(path: &Path) -> Result<MultiLabelSplits, DataError> {
    open_multi_label(path, &OpenOptions::default())
}

/// Image names (without folders) with the names of their labels, sorted.
fn content(sets: &[&MultiLabelSet]) -> Vec<(String, Vec<String>)> {
    let mut all: Vec<_> = sets
        .iter()
        .flat_map(|set| {
            (0..set.len())
                .map(|i| (set.name(i), set.labels(i).iter().map(|&l| set.class_names()[l as usize].clone()).collect()))
        })
        .map(|(name, labels): (String, Vec<String>)| (name.rsplit(['/', '\\']).next().unwrap().to_owned(), labels))
        .collect();
    all.sort();
    all
}

fn expected(items: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
    items.iter().map(|(name, labels)| ((*name).into(), labels.iter().map(|&l| l.into()).collect())).collect()
}

/// Opens a table in a new folder. The images that it names need not exist for that.
fn table(text: &str, class_list: Option<&str>) -> Result<MultiLabelSplits, DataError> {
    let dir = temp();
    let path = dir.path().join("labels.csv");
    fs::write(&path, text).unwrap();
    if let Some(list) = class_list {
        fs::write(dir.path().join("classes.txt"), list).unwrap();
    }
    open(&path)
}

/// Five rows of a table with quoted lists that have `separator`.
fn lists(separator: &str) -> String {
    let rows = [["car", "tree"], ["tree", "car"], ["bus", "tree"], ["car", "bus"]];
    let row = |(i, names): (usize, &[&str; 2])| format!("{i}.png,\"{}\"\n", names.join(separator));
    format!("path,labels\n{}4.png,\"\"\n", rows.iter().enumerate().map(row).collect::<String>())
}

#[test]
fn lists_open_with_any_separator_of_labels() {
    let all: &[(&str, &[&str])] = &[
        ("0.png", &["car", "tree"]),
        ("1.png", &["car", "tree"]),
        ("2.png", &["bus", "tree"]),
        ("3.png", &["bus", "car"]),
        ("4.png", &[]),
    ];
    for separator in [";", ",", "|", " ", "; ", ", "] {
        let splits = table(&lists(separator), None).unwrap();
        assert_eq!(splits.format, "CSV with a list column");
        assert_eq!(content(&[&splits.train, &splits.val]), expected(all), "{separator}");
        assert_eq!(splits.train.class_names(), ["bus", "car", "tree"]);
        assert!(
            splits.by_seed && splits.decisions.notes[1].contains("labels are separated by"),
            "{:?}",
            splits.decisions.notes
        );
    }
    // With semicolons between columns, a list with commas needs no quotes. A header is optional.
    let semicolons = "path;labels\n0.png;car,tree\n1.png;tree,car\n2.png;bus,tree\n3.png;car,bus\n4.png;\n";
    let bare = lists(";").split_once('\n').unwrap().1.to_owned();
    for text in [semicolons, &bare] {
        let splits = table(text, None).unwrap();
        assert_eq!(content(&[&splits.train, &splits.val]), expected(all), "{text}");
    }
}

#[test]
fn a_split_column_makes_the_parts() {
    let text = "file,split,tags\na.png,train,car;tree\nb.png,train,bus\nc.png,val,tree\nd.png,test,bus;car\n";
    let splits = table(text, None).unwrap();
    assert!(!splits.by_seed);
    assert_eq!(content(&[&splits.train]), expected(&[("a.png", &["car", "tree"]), ("b.png", &["bus"])]));
    assert_eq!(content(&[&splits.val]), expected(&[("c.png", &["tree"])]));
    assert_eq!(content(&[&splits.test.unwrap()]), expected(&[("d.png", &["bus", "car"])]));
    assert!(
        splits
            .decisions
            .notes
            .iter()
            .any(|note| note
                .contains("labels without a validation image, left out of that part's means: 'bus' and 'car'")),
        "{:?}",
        splits.decisions.notes
    );
    refused(table(&text.replace(",val,", ",later,"), None), &["line 4", "'split' is 'later'", "train, val or test"]);
    refused(table(&text.replace("bus;car", "bike").replace(",test", ",val"), None), &["'bike'", "no training image"]);
}

/// `train.csv` and `val.csv`, or a table in each of `train/` and `val/`, are the parts of one set. Columns may have
/// another order.
#[test]
fn tables_of_the_parts_are_one_set() {
    let dir = temp();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let parts = |splits: &MultiLabelSplits| {
        assert!(!splits.by_seed);
        assert_eq!(content(&[&splits.train]), expected(&[("a.png", &["car", "tree"]), ("b.png", &["bus"])]));
        assert_eq!(content(&[&splits.val]), expected(&[("c.png", &["tree"])]));
    };
    // The separator is decided from all tables together: the list in val.csv alone has no separator.
    write("train.csv", "file,tags\na.png,car;tree\nb.png,bus\n");
    write("val.csv", "tags,file\ntree,c.png\n");
    write("test.csv", "file\nd.png\n");
    write("sample_submission.csv", "file,tags\nd.png,car\n");
    let splits = open(dir.path()).unwrap();
    parts(&splits);
    assert_eq!(splits.decisions.split, "by the tables train.csv, val.csv");
    let why: Vec<&Why> = splits.decisions.left_out.iter().map(|one| &one.why).collect();
    assert_eq!(why, [&Why::Submission, &Why::UnlabeledTest]);
    write("val.csv", "tags,file\ntree,a.png\n");
    refused(open(dir.path()), &["val.csv", "line 2", "another split", "on line 2 of", "train.csv"]);
    write("val.csv", "labels,file\ntree,c.png\n");
    refused(open(dir.path()), &["val.csv: has the columns labels,file", "train.csv has the columns file,tags"]);
    // Roboflow's multi-label exports.
    let dir = temp();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("train/_classes.csv", "filename, bus, car, tree\na.png, 0, 1, 1\nb.png, 1, 0, 0\n");
    write("valid/_classes.csv", "filename, bus, car, tree\nc.png, 0, 0, 1\n");
    for name in ["train/a.png", "train/b.png", "valid/c.png"] {
        write(name, "");
    }
    let splits = open(dir.path()).unwrap();
    parts(&splits);
    assert!(splits.val.name(0).contains("valid"), "{}", splits.val.name(0));
    write("valid/more.csv", "filename, bus, car, tree\nd.png, 0, 0, 1\n");
    refused(open(dir.path()), &["valid", "several tables", "_classes.csv, more.csv"]);
}

#[test]
fn columns_of_0_and_1_are_classes_in_their_order() {
    let text = "path,tree,car,bus,split\na.png,1,1,0,train\nb.png,0,0,1,train\nc.png,1.0,false,True,val\n";
    let splits = table(text, None).unwrap();
    assert_eq!(
        (splits.format, splits.train.class_names()),
        ("CSV with 0/1 columns", &["tree", "car", "bus"].map(String::from)[..])
    );
    assert_eq!(content(&[&splits.val]), expected(&[("c.png", &["tree", "bus"])]));
    // The order of the class list, if there is one.
    let listed = table(text, Some("bus\ncar\ntree\n")).unwrap();
    assert_eq!(listed.train.class_names(), ["bus", "car", "tree"]);
    assert_eq!(content(&[&listed.val]), expected(&[("c.png", &["bus", "tree"])]));
    refused(table(text, Some("bus\ncar\n")), &["'tree'", "not in classes.txt"]);
    refused(table(text, Some("bus\ncar\ntree\nbike\n")), &["no column 'bike'"]);
    // -1 is read as absent only in a column without 0.
    let minus = "path,tree,car\na.png,1,-1\nb.png,-1,1\nc.png,1,1\nd.png,1,1\n";
    let splits = table(minus, None).unwrap();
    assert_eq!(content(&[&splits.train, &splits.val])[0], ("a.png".into(), vec!["tree".into()]));
    assert!(splits.decisions.notes[1].contains("-1 is read as absent"));
    refused(table(&format!("{minus}e.png,0,1\n"), None), &["line 2", "'car' is -1", "absent", "not known"]);
    refused(table(&minus.replace("-1,1", ",1"), None), &["line 3", "'tree' is empty", "absent", "not known"]);
    refused(table(&minus.replace("-1,1", "3,1"), None), &["'tree' is '3'", "0 or 1"]);
    refused(table("path,a,a\nx.png,0,1\n", None), &["two columns 'a'"]);
}

#[test]
fn lines_of_one_image_are_joined_or_refused() {
    let text = "path,label\na.png,car\na.png,tree\nb.png,bus\nc.png,car\nb.png,bus\nd.png,tree\ne.png,bus\n";
    let splits = table(text, None).unwrap();
    assert_eq!(splits.format, "CSV of path,label");
    assert_eq!(content(&[&splits.train, &splits.val])[0], ("a.png".into(), vec!["car".into(), "tree".into()]));
    assert!(
        splits.decisions.notes.iter().any(|note| note.starts_with("1 lines name an image of an earlier line")),
        "{:?}",
        splits.decisions.notes
    );
    assert!(
        splits.decisions.notes.iter().any(|note| note.starts_with("1 lines repeat")),
        "{:?}",
        splits.decisions.notes
    );
    let text = "path,labels\na.png,car;tree\nb.png,bus\na.png,bus;car\n";
    refused(
        table(text, None),
        &["line 4", "'bus' and 'car' here", "'car' and 'tree' on line 2", "one of the lines or of both"],
    );
    let text = "path,label,split\na.png,car,train\na.png,bus,val\n";
    refused(table(text, None), &["line 3", "another split", "line 2"]);
}

#[test]
fn ambiguous_tables_are_refused() {
    let spaces = "path,labels\na.png,car\nb.png,traffic light\nc.png,traffic sign\nd.png,car\n";
    refused(table(spaces, None), &["line 3", "'traffic light' is one label", "'traffic' and 'light'", "classes.txt"]);
    let settled = |list: &str| table(spaces, Some(list)).unwrap();
    assert_eq!(
        settled("traffic light\ntraffic sign\ncar\n").train.class_names(),
        ["traffic light", "traffic sign", "car"]
    );
    assert_eq!(settled("car\nlight\nsign\ntraffic\n").train.class_names().len(), 4);
    refused(
        table("path,labels\na.png,car;red|green\n", None),
        &["line 2", "';' and '|'", "'car' and 'red|green'", "classes.txt"],
    );
    refused(
        table("path,labels,car,tree\na.png,car,1,0\n", None),
        &["'labels'", "'car' and 'tree'", "remove one or the other"],
    );
    refused(table("path,labels,tags\na.png,car,bus\n", None), &["'labels' and 'tags'", "all but one"]);
    refused(table("path,labels\na.png,car,tree\n", None), &["line 2", "3 fields", "quote"]);
    refused(table("path,labels\na.png,01;1\n", None), &["'01' and '1'", "same number"]);
    refused(table("path,labels\na.png,car;bsu\nb.png,bus\n", Some("bus\ncar\n")), &["line 2", "'bsu'", "classes.txt"]);
    refused(table("path,labels\na.png,car\nb.png,car\n", None), &["at least 2 classes"]);
    refused(table("path,cancer\na.png,1\nb.png,0\n", None), &["'cancer' of 0 and 1", "one class", "two classes"]);
    refused(table("path,labels\n", None), &["no line below its header"]);
    let bits = "path,labels\na.png,\"[1, 0, 1]\"\nb.png,\"[0, 1, 0]\"\nc.png,\"[1, 1, 0]\"\nd.png,\"[0, 0, 1]\"\n";
    refused(table(bits, None), &["0 and 1 alone, such as '1, 0, 1'", "a mark for each class", "column 'labels'"]);
    refused(table("path,labels\na.png,101\nb.png,010\nc.png,110\n", None), &["such as '101'", "a mark for each class"]);
    let shares = "path,labels\na.png,cat:0.9|dog:0.1\nb.png,dog:1.0\n";
    refused(table(shares, None), &["'cat:0.9'", "its share", "write the names alone"]);
    let folds = "file,fold,cat,dog\na.png,0,1,0\nb.png,1,0,1\nc.png,2,1,1\nd.png,0,1,0\n";
    refused(table(folds, None), &["'fold' looks like folds", "classes.txt"]);
    let kept = table(&folds.replace(",2,", ",1,"), Some("fold\ncat\ndog\n")).unwrap();
    assert_eq!(kept.train.class_names(), ["fold", "cat", "dog"]);
    let columns = "file,label1,label2\na.png,cat,dog\nb.png,dog,\nc.png,cat,\nd.png,dog,cat\n";
    refused(table(columns, None), &["'label1' and 'label2'", "one column 'labels', with ; between"]);
    refused(table("name,words\nx,y\n", None), &["no column names image files", "'words' (such as 'y')"]);
    // A further column is not used, and a note states it.
    let notes = table("path,labels,width\na.png,car;bus,640\nb.png,car;bus,640\n", None).unwrap().decisions.notes;
    assert!(notes[0].contains("'labels'; not used: 'width'"), "{notes:?}");
}

#[test]
fn a_split_by_seed_keeps_the_share_of_each_label() {
    let mut text = String::from("path,labels\n");
    for i in 0..400 {
        let mut names = vec!["common"];
        names.extend((i % 4 == 0).then_some("quarter"));
        names.extend((i % 50 == 0).then_some("rare"));
        text += &format!("{i}.png,{}\n", if i % 20 == 7 { String::new() } else { names.join(";") });
    }
    let splits = table(&text, None).unwrap();
    assert_eq!((splits.train.len(), splits.val.len()), (320, 80));
    // 20 % of 380, 100 and 8 images.
    let [common, quarter, rare] = splits.val.positives()[..] else { panic!("three classes") };
    assert!((75..=77).contains(&common) && quarter == 20 && (1..=2).contains(&rare), "{common} {quarter} {rare}");
    let tail = |name: String| name.rsplit(['/', '\\']).next().unwrap().to_owned();
    let tails = |splits: &MultiLabelSplits| (0..80).map(|i| tail(splits.val.name(i))).collect::<Vec<_>>();
    assert_eq!(tails(&splits), tails(&table(&text, None).unwrap()), "the same seed");
    let dir = temp();
    fs::write(dir.path().join("labels.csv"), &text).unwrap();
    let other = open_multi_label(dir.path(), &OpenOptions { seed: 1, ..OpenOptions::default() }).unwrap();
    assert_ne!(tails(&splits), tails(&other), "another seed");
    refused(table("path,labels\na.png,x;y\n", None), &["validation part is empty", "too few"]);
}

/// Images of one color each: 0, 1, 2, …
struct Plain(usize);

impl ImageDataset for Plain {
    fn len(&self) -> usize {
        self.0
    }
    fn name(&self, index: usize) -> String {
        index.to_string()
    }
    fn image(&self, index: usize) -> Result<image::RgbImage, DataError> {
        Ok(image::RgbImage::from_pixel(4, 4, image::Rgb([index as u8; 3])))
    }
}

#[test]
fn batches_hold_a_target_for_each_class() {
    let classes: Arc<[String]> = ["a", "b", "c"].map(String::from).into();
    let labels = vec![vec![2, 0], vec![], vec![1], vec![0, 1, 2]];
    let set = MultiLabelSet::new(Arc::new(Plain(4)), classes, labels);
    assert_eq!((set.labels(0), set.positives()), (&[0, 2][..], vec![2, 2, 2]));
    let prepared = prepare(&[set], &PrepareOptions::square(4), &|_, _| {}).unwrap().remove(0);
    let source = MultiLabelSource::new(Arc::new(prepared), &Normalization::NONE);
    let loading = LoaderOptions { shuffle: false, ..LoaderOptions::new(4, 0) };
    let truth = [[1.0, 0.0, 1.0], [0.0; 3], [0.0, 1.0, 0.0], [1.0; 3]];
    let loader = Loader::new(Arc::new(source), loading.clone()).unwrap();
    let batch = loader.epoch(0).unwrap().next().unwrap().unwrap();
    assert_eq!(batch.targets, truth.concat());
    // Mixed images have mixed targets, by the share of their pixels.
    let set = MultiLabelSet::new(
        Arc::new(Plain(4)),
        ["a", "b"].map(String::from).into(),
        vec![vec![0], vec![1], vec![0, 1], vec![]],
    );
    let truth = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]];
    let prepared = Arc::new(prepare(&[set], &PrepareOptions::square(4), &|_, _| {}).unwrap().remove(0));
    let mix = Mix { mixup: 1.0, cutmix: 0.0, seed: 3 };
    let loader =
        Loader::new(Arc::new(MultiLabelSource::new(prepared, &Normalization::NONE).mixed(mix)), loading).unwrap();
    let batch = loader.epoch(1).unwrap().next().unwrap().unwrap();
    for index in 0..4 {
        let mixed = mix.draw(MixOf { epoch: 1, index, samples: 4, size: (4, 4) });
        for (class, (own, other)) in truth[index].iter().zip(truth[mixed.other]).enumerate() {
            let wanted = mixed.share * own + (1.0 - mixed.share) * other;
            assert!((batch.targets[2 * index + class] - wanted).abs() < 1e-6, "image {index}");
        }
    }
}

#[test]
fn a_check_reports_faults_and_how_the_data_was_read() {
    let dir = temp();
    folders::folders(dir.path(), &[("a.png", 1), ("b.png", 2), ("c.png", 3), ("d.png", 1)]);
    let rows = "a.png,train,car;tree\nb.png,train,bus\nc.png,val,tree\nd.png,val,bus\ne.png,train,car\n";
    fs::write(dir.path().join("labels.csv"), format!("path,split,labels\n{rows}")).unwrap();
    let report = check_multi_label(&dir.path().join("labels.csv"), &CheckOptions::default()).unwrap();
    let text = report.to_string();
    for part in [
        "CSV with a list column",
        "e.png: file not found",
        "d.png: is in the val part as 'bus' and the same picture as",
        "which is in the train part as 'car, tree'",
        "note: labels are separated by ';'",
        "note: labels without a validation image, left out of that part's means: 'car'",
        "2 faults",
    ] {
        assert!(text.contains(part), "'{part}' is missing in: {text}");
    }
    assert_eq!(report.classes[0].counts, [1, 1], "bus in training and validation");
}
