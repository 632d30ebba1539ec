//! What `ffmpeg` measures: how loud sound is, and how alike pictures are.

use std::path::Path;

use super::CompareError;
use super::tools::{Ran, Tools};

/// A measurement, or why there is none.
#[derive(Debug)]
pub(super) enum Measured<T> {
    /// It was made.
    Is(T),
    /// `ffmpeg` is not installed.
    Missing,
    /// It could not be made; why.
    Not(String),
}

/// How loud sound is.
#[derive(Debug, Default)]
pub(super) struct Loudness {
    /// The mean of its power, `-21.2 dB`.
    pub(super) mean: Option<String>,
    /// How loud people find all of it, after EBU R 128: `-21.8 LUFS`.
    pub(super) integrated: Option<String>,
}

/// How alike pictures are.
#[derive(Debug)]
pub(super) struct Likeness {
    /// The peak signal-to-noise ratio in decibels, infinite if there is no difference.
    pub(super) psnr: f64,
    /// The structural similarity, at most 1.
    pub(super) ssim: f64,
}

/// How loud stream `index` of a file is.
pub(super) fn loudness(
    tools: &mut Tools,
    path: &Path,
    index: u32,
) -> Result<Measured<Loudness>, CompareError> {
    let stream = format!("0:{index}");
    let filters = ["-map", &stream, "-af", "volumedetect,ebur128=framelog=verbose"];
    Ok(taken(tools.ffmpeg(&[path], &filters)?, |log| {
        let mean = said(log, "[Parsed_volumedetect_", "mean_volume: ").map(str::to_owned);
        Some(Loudness { mean, integrated: integrated(log) })
    }))
}

/// How alike two streams of pictures of the same size are, as far as both last.
pub(super) fn likeness(
    tools: &mut Tools,
    before: (&Path, u32),
    after: (&Path, u32),
) -> Result<Measured<Likeness>, CompareError> {
    let from = |file: u32, index: u32, outs: &str| {
        format!("[{file}:{index}]settb=AVTB,setpts=PTS-STARTPTS,split{outs};")
    };
    let graph = from(0, before.1, "[a][b]")
        + &from(1, after.1, "[c][d]")
        + "[a][c]psnr=shortest=1[p];[b][d]ssim=shortest=1[s]";
    let filters = ["-filter_complex", &graph, "-map", "[p]", "-map", "[s]"];
    Ok(taken(tools.ffmpeg(&[before.0, after.0], &filters)?, |log| {
        let psnr = number(said(log, "[Parsed_psnr_", " average:")?)?;
        let ssim = number(said(log, "[Parsed_ssim_", " All:")?)?;
        Some(Likeness { psnr, ssim })
    }))
}

fn taken<T>(ran: Ran, read: impl FnOnce(&str) -> Option<T>) -> Measured<T> {
    match ran {
        Ran::Missing => Measured::Missing,
        Ran::Failed(why) => Measured::Not(why),
        Ran::Done { log, .. } => {
            read(&log).map_or_else(|| Measured::Not("nothing was decoded".to_owned()), Measured::Is)
        }
    }
}

/// What the last line of a filter has after `key`. Tags of a file, also in the log, are indented.
fn said<'l>(log: &'l str, filter: &str, key: &str) -> Option<&'l str> {
    let mut lines = log.lines().rev().filter(|line| line.starts_with(filter));
    lines.find_map(|line| line.split_once(key)).map(|(_, rest)| rest)
}

fn number(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

fn integrated(log: &str) -> Option<String> {
    let mut lines = log.lines().skip_while(|line| !line.starts_with("[Parsed_ebur128_"));
    lines.find_map(|line| line.trim_start().strip_prefix("I:")).map(|rest| rest.trim().to_owned())
}
