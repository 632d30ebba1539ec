//! Graphs of nodes for ComfyUI: a picture from text, a film from a picture, a film from text.

use serde_json::{Value, json};

/// A graph, and the node whose files are the result.
pub(crate) struct Graph {
    pub(crate) nodes: Value,
    pub(crate) result: &'static str,
}

/// What a picture is made from.
pub(crate) struct Picture<'p> {
    pub(crate) prompt: &'p str,
    pub(crate) size: (u32, u32),
    pub(crate) seed: u64,
    pub(crate) model: &'p str,
    pub(crate) steps: u32,
    pub(crate) cfg: f64,
}

/// What a film is made from, beside a picture.
pub(crate) struct Moved<'m> {
    /// The picture, as the server calls it.
    pub(crate) picture: &'m str,
    pub(crate) size: (u32, u32),
    pub(crate) frames: u32,
    pub(crate) fps: u32,
    pub(crate) motion: u32,
    pub(crate) seed: u64,
    pub(crate) model: &'m str,
    pub(crate) steps: u32,
    pub(crate) cfg: f64,
}

/// What a film is made from, where there is no picture.
pub(crate) struct Film<'f> {
    pub(crate) prompt: &'f str,
    pub(crate) negative: &'f str,
    pub(crate) size: (u32, u32),
    pub(crate) length: u32,
    pub(crate) fps: u32,
    pub(crate) seed: u64,
    pub(crate) models: Models<'f>,
    pub(crate) steps: u32,
    pub(crate) cfg: f64,
}

/// The three files of a model of films.
pub(crate) struct Models<'f> {
    pub(crate) unet: &'f str,
    pub(crate) clip: &'f str,
    pub(crate) vae: &'f str,
}

fn node(class: &str, inputs: Value) -> Value {
    json!({"class_type": class, "inputs": inputs})
}

/// FLUX.1-schnell, or another model whose checkpoint is one file.
pub(crate) fn picture(of: &Picture<'_>) -> Graph {
    let (width, height) = of.size;
    let nodes = json!({
        "1": node("CheckpointLoaderSimple", json!({"ckpt_name": of.model})),
        "2": node("CLIPTextEncode", json!({"text": of.prompt, "clip": ["1", 1]})),
        "3": node("CLIPTextEncode", json!({"text": "", "clip": ["1", 1]})),
        "4": node("EmptyLatentImage", json!({"width": width, "height": height, "batch_size": 1})),
        "5": node("KSampler", json!({
            "model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0],
            "seed": of.seed, "steps": of.steps, "cfg": of.cfg,
            "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0,
        })),
        "6": node("VAEDecode", json!({"samples": ["5", 0], "vae": ["1", 2]})),
        "7": node("SaveImage", json!({"images": ["6", 0], "filename_prefix": "vwfb"})),
    });
    Graph { nodes, result: "7" }
}

/// SVD-XT.
pub(crate) fn moved(of: &Moved<'_>) -> Graph {
    let (width, height) = of.size;
    let nodes = json!({
        "1": node("ImageOnlyCheckpointLoader", json!({"ckpt_name": of.model})),
        "2": node("LoadImage", json!({"image": of.picture})),
        "3": node("SVD_img2vid_Conditioning", json!({
            "clip_vision": ["1", 1], "init_image": ["2", 0], "vae": ["1", 2],
            "width": width, "height": height, "video_frames": of.frames,
            "motion_bucket_id": of.motion, "fps": of.fps, "augmentation_level": 0.0,
        })),
        "4": node("KSampler", json!({
            "model": ["1", 0], "positive": ["3", 0], "negative": ["3", 1], "latent_image": ["3", 2],
            "seed": of.seed, "steps": of.steps, "cfg": of.cfg,
            "sampler_name": "euler", "scheduler": "karras", "denoise": 1.0,
        })),
        "5": node("VAEDecode", json!({"samples": ["4", 0], "vae": ["1", 2]})),
        "6": combine("5", of.fps),
    });
    Graph { nodes, result: "6" }
}

/// Wan 2.2, of text alone.
pub(crate) fn film(of: &Film<'_>) -> Graph {
    let (width, height) = of.size;
    let nodes = json!({
        "1": node("UNETLoader", json!({
            "unet_name": of.models.unet, "weight_dtype": "fp8_e4m3fn",
        })),
        "2": node("CLIPLoader", json!({"clip_name": of.models.clip, "type": "wan"})),
        "3": node("VAELoader", json!({"vae_name": of.models.vae})),
        "4": node("CLIPTextEncode", json!({"text": of.prompt, "clip": ["2", 0]})),
        "5": node("CLIPTextEncode", json!({"text": of.negative, "clip": ["2", 0]})),
        "6": node("WanImageToVideo", json!({
            "positive": ["4", 0], "negative": ["5", 0], "vae": ["3", 0],
            "width": width, "height": height, "length": of.length, "batch_size": 1,
        })),
        "7": node("KSampler", json!({
            "model": ["1", 0], "positive": ["6", 0], "negative": ["6", 1], "latent_image": ["6", 2],
            "seed": of.seed, "steps": of.steps, "cfg": of.cfg,
            "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
        })),
        "8": node("VAEDecode", json!({"samples": ["7", 0], "vae": ["3", 0]})),
        "9": combine("8", of.fps),
    });
    Graph { nodes, result: "9" }
}

/// Makes an H.264 film of the pictures of a node.
fn combine(pictures: &str, fps: u32) -> Value {
    node(
        "VHS_VideoCombine",
        json!({
            "images": [pictures, 0], "frame_rate": fps, "loop_count": 0, "filename_prefix": "vwfb",
            "format": "video/h264-mp4", "pix_fmt": "yuv420p", "crf": 19, "save_metadata": true,
            "pingpong": false, "save_output": true,
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each node that is named is there, and the result is one of them.
    fn check(graph: &Graph) -> Vec<String> {
        let nodes = graph.nodes.as_object().unwrap();
        assert!(nodes.contains_key(graph.result));
        let mut classes = Vec::new();
        for node in nodes.values() {
            classes.push(node["class_type"].as_str().unwrap().to_owned());
            for input in node["inputs"].as_object().unwrap().values() {
                if let Some(link) = input.as_array() {
                    assert!(nodes.contains_key(link[0].as_str().unwrap()), "{node}");
                    assert!(link[1].is_u64(), "{node}");
                }
            }
        }
        classes
    }

    #[test]
    fn nodes_are_connected_to_nodes_that_are_there() {
        let size = (1280, 720);
        let flux = picture(&Picture { prompt: "a", size, seed: 1, model: "m", steps: 4, cfg: 1.0 });
        assert_eq!(check(&flux).iter().filter(|class| *class == "CLIPTextEncode").count(), 2);
        let svd = moved(&Moved {
            picture: "a.png",
            size,
            frames: 14,
            fps: 6,
            motion: 127,
            seed: 1,
            model: "m",
            steps: 20,
            cfg: 2.5,
        });
        assert!(check(&svd).contains(&"SVD_img2vid_Conditioning".to_owned()));
        let models = Models { unet: "u", clip: "c", vae: "v" };
        let wan = film(&Film {
            prompt: "a",
            negative: "b",
            size,
            length: 81,
            fps: 16,
            seed: 1,
            models,
            steps: 20,
            cfg: 5.0,
        });
        assert!(check(&wan).contains(&"WanImageToVideo".to_owned()));
    }
}
