//! Published ImageNet weights of the encoders.
//!
//! Names, addresses, top-1 and preprocessing are from torchvision 0.29 (`torchvision.models.ResNet*_Weights`), whose
//! repository is under BSD-3-Clause. A file of torchvision has the first eight digits of its SHA-256 in its name, and
//! `torch.hub` checks only those. The other digits and the sizes in bytes are those that several public projects have
//! pinned for the same names. Two rows differ:
//!
//! | file | what is not known | what is checked |
//! |---|---|---|
//! | ResNet101 and 152 | the exact size; torchvision publishes it in MiB, to 3 decimals | size within [`PublishedFile::slack`], all 64 digits, or 8 for ResNet152's IMAGENET1K_V2 |
//!
//! timm's copies hold the same tensors as IMAGENET1K_V1 without BatchNorm's step counters.

/// Published weights of an encoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Published<'a> {
    /// Name of the encoder, such as `resnet18`.
    pub encoder: &'a str,
    /// Name among the weights of this encoder, such as `imagenet`.
    pub name: &'a str,
    /// The publisher's name, for messages.
    pub title: &'a str,
    /// License of the weights, as an SPDX identifier.
    pub license: &'a str,
    /// Per-channel mean of the training pixels, which range from 0 to 1.
    pub mean: [f32; 3],
    /// Per-channel deviation.
    pub std: [f32; 3],
    /// Published top-1 accuracy on ImageNet's validation images, in percent.
    pub top1: f32,
    /// Shorter side in pixels that images had at that evaluation, before a center crop of [`Published::CROP`].
    pub resize: u32,
    /// Files that hold these weights; the first is preferred.
    pub files: &'a [PublishedFile<'a>],
}

/// A file of published weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedFile<'a> {
    /// Name in our folder.
    pub name: &'a str,
    /// Where it is published.
    pub place: Place<'a>,
    /// Size in bytes.
    pub bytes: u64,
    /// Bytes by which the size may differ, if the publisher rounds it.
    pub slack: u64,
    /// SHA-256 in lower-case hexadecimal digits: all 64, or the first digits if no more are published.
    pub sha256: &'a str,
}

/// Where a file is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// At an address. Its last part is the file's name in torch's folder.
    Url(&'a str),
    /// In a repository of Hugging Face.
    HuggingFace {
        /// Owner and name, such as `timm/resnet18.tv_in1k`.
        repository: &'a str,
        /// Commit.
        revision: &'a str,
        /// Path in the repository.
        path: &'a str,
    },
}

impl Published<'_> {
    /// Side in pixels of the center crop of the published evaluation.
    pub const CROP: u32 = 224;

    /// The weights in a line: name, license, published accuracy.
    pub fn describe(&self) -> String {
        let Published { encoder, title, license, top1, .. } = self;
        format!("{encoder} {title}, {license}, trained on ImageNet-1k, published top-1 {top1} %")
    }
}

/// Mean and deviation of ImageNet's training images.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const STD: [f32; 3] = [0.229, 0.224, 0.225];

/// Half of the last decimal in which torchvision publishes sizes: 0.0005 MiB.
const ROUNDED: u64 = 524;

macro_rules! torch {
    ($file:literal, $bytes:literal, $sha256:literal $(, $slack:expr)?) => {
        PublishedFile {
            name: $file,
            place: Place::Url(concat!("https://download.pytorch.org/models/", $file)),
            bytes: $bytes,
            slack: 0 $(+ $slack)?,
            sha256: $sha256,
        }
    };
}

macro_rules! timm {
    ($model:literal, $revision:literal, $bytes:literal, $sha256:literal) => {
        PublishedFile {
            name: concat!($model, ".safetensors"),
            place: Place::HuggingFace {
                repository: concat!("timm/", $model),
                revision: $revision,
                path: "model.safetensors",
            },
            bytes: $bytes,
            slack: 0,
            sha256: $sha256,
        }
    };
}

/// IMAGENET1K_V1: the recipe of the paper.
const fn v1(encoder: &'static str, top1: f32, files: &'static [PublishedFile<'static>]) -> Published<'static> {
    let (name, title) = ("imagenet", "IMAGENET1K_V1 of torchvision");
    Published { encoder, name, title, license: "BSD-3-Clause", mean: MEAN, std: STD, top1, resize: 256, files }
}

/// IMAGENET1K_V2: a longer recipe with more augmentation.
const fn v2(encoder: &'static str, top1: f32, files: &'static [PublishedFile<'static>]) -> Published<'static> {
    let (name, title) = ("imagenet-v2", "IMAGENET1K_V2 of torchvision");
    Published { encoder, name, title, license: "BSD-3-Clause", mean: MEAN, std: STD, top1, resize: 232, files }
}

/// All published weights. `imagenet` names those of the first recipe, which every encoder has.
pub const PUBLISHED: [Published<'static>; 8] = [
    v1(
        "resnet18",
        69.758,
        &[
            torch!(
                "resnet18-f37072fd.pth",
                46_830_571,
                "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec"
            ),
            timm!(
                "resnet18.tv_in1k",
                "bbd144b3e5565108aad885f145491d11bc6ce807",
                46_807_446,
                "694f673df6520a3158624e8a89af086f59923ee4cd7436fe5bc3bc71d295ad81"
            ),
        ],
    ),
    v1(
        "resnet34",
        73.314,
        &[
            torch!(
                "resnet34-b627a593.pth",
                87_319_819,
                "b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f"
            ),
            timm!(
                "resnet34.tv_in1k",
                "1b7b21cca82ff974d341713f777bf740c2db38c4",
                87_278_522,
                "0bb82595a564991a9d424708b33f5d843f5aaed7f6c0886ff10849ff97022235"
            ),
        ],
    ),
    v1(
        "resnet50",
        76.130,
        &[
            torch!(
                "resnet50-0676ba61.pth",
                102_530_333,
                "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a"
            ),
            timm!(
                "resnet50.tv_in1k",
                "78f3ecfdb38e06d9b8397f662e7ab8fee96026fa",
                102_469_840,
                "5d061a3c593d795bfe682d9b152bafbcf550579873492def3515b46db1189888"
            ),
        ],
    ),
    v1(
        "resnet101",
        77.374,
        &[torch!(
            "resnet101-63fe2227.pth",
            178_793_939,
            "63fe2227b86e8f1f2063f43a75c84d195911b6a0eace650907dd3dc62dd49a0a",
            ROUNDED
        )],
    ),
    v1(
        "resnet152",
        78.312,
        &[torch!(
            "resnet152-394f9c45.pth",
            241_627_721,
            "394f9c45966e3651a89bbb78a48410a6755854ce4a5ab64927cf1c7247f85e58",
            ROUNDED
        )],
    ),
    v2(
        "resnet50",
        80.858,
        &[torch!(
            "resnet50-11ad3fa6.pth",
            102_540_417,
            "11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca"
        )],
    ),
    v2(
        "resnet101",
        81.886,
        &[torch!(
            "resnet101-cd907fc2.pth",
            178_814_045,
            "cd907fc2a0de2292b2ba2b27d2216bc672d84632d1cf20058d01c0c03b5e020e",
            ROUNDED
        )],
    ),
    v2("resnet152", 82.284, &[torch!("resnet152-f82ba261.pth", 241_669_177, "f82ba261", ROUNDED)]),
];

/// The published weights of this encoder and name.
pub fn published(encoder: &str, name: &str) -> Option<&'static Published<'static>> {
    PUBLISHED.iter().find(|weights| (weights.encoder, weights.name) == (encoder, name))
}

/// Names of published weights, without repetition.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = PUBLISHED.iter().map(|weights| weights.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}
