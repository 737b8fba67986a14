//! How a hub of models files the models of a task, and how timm (Wightman 2019) builds their network.

use serde_json::{Value as Json, json};

use crate::run::card::ModelCard;

/// How a hub files the models of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubTask {
    /// The hub's name of the task, such as `image-classification`.
    pub pipeline: &'static str,
    /// Whether a picture is resized by its shorter side and its middle square is cut; else the whole picture is resized.
    pub center_crop: bool,
}

/// The `config.json` with which timm builds a ResNet and prepares its images; `None` for a network that timm does not have.
pub fn timm_config(card: &ModelCard) -> Option<Json> {
    let settings = card.to_metadata();
    let published = settings.get("stem").is_some_and(|stem| stem == "imagenet");
    if !published || !card.network.name().starts_with("resnet") {
        return None;
    }
    let ([height, width], norm) = (card.image_size, &card.normalization);
    Some(json!({
        "architecture": card.network.name(),
        "num_classes": card.classes.len(),
        "label_names": card.classes,
        "model_args": { "in_chans": card.channels() },
        "pretrained_cfg": {
            "custom_load": false,
            "input_size": [card.channels(), height, width],
            "fixed_input_size": false,
            "interpolation": "bilinear",
            "crop_pct": 1.0 / card.margin(),
            "crop_mode": "center",
            "mean": norm.mean,
            "std": norm.std,
            "num_classes": card.classes.len(),
            "first_conv": "conv1",
            "classifier": "fc",
        },
    }))
}

/// The `preprocessor_config.json` of transformers: how bytes of a picture become the network's input.
pub fn preprocessor(card: &ModelCard, task: HubTask) -> Json {
    let ([height, width], norm) = (card.image_size, &card.normalization);
    let mut config = json!({
        "image_processor_type": "ViTImageProcessor",
        "do_resize": true,
        "size": { "height": height, "width": width },
        "resample": 2,
        "do_rescale": true,
        "rescale_factor": 1.0 / 255.0,
        "do_normalize": true,
        "image_mean": norm.mean,
        "image_std": norm.std,
    });
    if task.center_crop {
        config["image_processor_type"] = "CLIPImageProcessor".into();
        config["size"] = json!({ "shortest_edge": card.resize().unwrap_or(height) });
        config["do_center_crop"] = true.into();
        config["crop_size"] = json!({ "height": height, "width": width });
    }
    config
}
