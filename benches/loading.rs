//! Augmentation from original images: JPEG files of 500×375 pixels to normalized samples of 224×224 with a random resized crop
//! and a flip, on one thread. `benches/peers/loading.py` writes the files and times the same work in torchvision with Pillow.
//!
//! ```text
//! cargo bench --bench loading -- DIR [THREADS]    DIR/train/CLASS/*.jpg, DIR/val/CLASS/*.jpg
//! ```

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use shadegrad::data::augment::Keeps;
use shadegrad::data::{
    Augment, ClassificationSource, Loader, LoaderOptions, Normalization, OpenOptions, PrepareOptions,
    open_classification, prepare,
};

const SIDE: u32 = 224;
const AUGMENT: &str = r#"[{ resized_crop = [0.08, 1.0] }, { flip = "horizontal" }]"#;
/// Passes over the files; the fastest counts.
const PASSES: u64 = 5;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let Some(folder) = arguments.next() else {
        println!("loading: give a folder of JPEG files; benches/peers/loading.py writes one");
        return;
    };
    let threads = arguments.next().and_then(|number| number.parse().ok()).unwrap_or(1);
    let options = OpenOptions { val_split: 0.2, seed: 0, hints: Default::default() };
    let splits = open_classification(Path::new(&folder), &options).unwrap_or_else(|e| panic!("{e}"));
    let prepared = prepare(&[splits.train], &PrepareOptions::square(SIDE), &|_, _| {}).expect("good images").remove(0);
    let augment: Augment = AUGMENT.parse().expect("a list");
    let how = augment.prepare(Keeps { mirror: true, color: true, erase: true }, 0);
    // Nothing stays decoded: each sample decodes its file.
    let source =
        ClassificationSource::new(Arc::new(prepared), &Normalization::IMAGENET).augmented(how).from_originals(0);
    let loader =
        Loader::new(Arc::new(source), LoaderOptions { threads, ..LoaderOptions::new(32, 0) }).expect("a loader");
    let images = loader.source().len();
    let pass = |epoch: u64| {
        let start = Instant::now();
        for batch in loader.epoch(epoch).expect("threads") {
            loader.recycle(batch.expect("good images"));
        }
        images as f64 / start.elapsed().as_secs_f64()
    };
    let fastest = (0..PASSES).map(pass).fold(0.0, f64::max);
    println!("shadegrad: {fastest:.0} images/s on {threads} threads, {images} images");
}
