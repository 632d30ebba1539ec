//! Two files of sound, video or pictures: what differs in them, fact by fact.

use std::path::Path;

use super::CompareError;
use super::facts::Facts;
use super::measure::{self, Likeness, Loudness, Measured};
use super::probe::{self, Media, Stream};
use super::tools::Tools;

/// Tells what differs between two files and says so, if both are media.
pub(super) fn tell(
    facts: &mut Facts,
    tools: &mut Tools,
    before: &Path,
    after: &Path,
) -> Result<bool, CompareError> {
    let (was, is) = match (probe::media(tools, before)?, probe::media(tools, after)?) {
        (Some(was), Some(is)) => (was, is),
        (None, None) => return Ok(false),
        (was, is) => {
            let [was, is] = [was, is].map(|media| if media.is_some() { "yes" } else { "no" });
            facts.tell("can be shown or played", Some(was.to_owned()), Some(is.to_owned()));
            return Ok(false);
        }
    };
    tell_probed(facts, &was, &is);
    tell_sounds(facts, tools, (before, &was), (after, &is))?;
    tell_pictures(facts, tools, (before, &was), (after, &is))?;
    Ok(true)
}

/// A file and what is in it.
type Probed<'a> = (&'a Path, &'a Media);

/// Tells what `ffprobe` said.
fn tell_probed(facts: &mut Facts, was: &Media, is: &Media) {
    facts.tell("format", was.format.clone(), is.format.clone());
    let [before, after] = [was, is].map(|media| media.streams.iter().map(named).collect());
    facts.tell_group("streams", &before, &after);
    facts.tell("duration", was.duration.clone(), is.duration.clone());
    facts.tell_group("tags", &was.tags, &is.tags);
}

fn named(stream: &Stream) -> (String, String) {
    (stream.name.clone(), stream.told.clone())
}

/// Tells how loud each stream of sound is, the first beside the first.
fn tell_sounds(
    facts: &mut Facts,
    tools: &mut Tools,
    before: Probed<'_>,
    after: Probed<'_>,
) -> Result<(), CompareError> {
    let [was, is] = [before, after].map(|(_, media)| sounds(media));
    for nth in 0..was.len().max(is.len()) {
        let was = loudness(facts, tools, before.0, was.get(nth).copied())?;
        let is = loudness(facts, tools, after.0, is.get(nth).copied())?;
        let number = if nth == 0 { String::new() } else { format!(" of audio {}", nth + 1) };
        facts.tell(&format!("mean volume{number}"), was.mean, is.mean);
        facts.tell(&format!("loudness{number}"), was.integrated, is.integrated);
    }
    Ok(())
}

fn sounds(media: &Media) -> Vec<&Stream> {
    media.streams.iter().filter(|stream| stream.sound).collect()
}

fn loudness(
    facts: &mut Facts,
    tools: &mut Tools,
    path: &Path,
    stream: Option<&Stream>,
) -> Result<Loudness, CompareError> {
    let Some(stream) = stream else { return Ok(Loudness::default()) };
    match measure::loudness(tools, path, stream.index)? {
        Measured::Is(loudness) => return Ok(loudness),
        Measured::Missing => {}
        Measured::Not(why) => facts.note(&format!("{} cannot be measured: {why}", stream.name)),
    }
    Ok(Loudness::default())
}

/// Tells how alike the first pictures of both are, if they are of one size.
fn tell_pictures(
    facts: &mut Facts,
    tools: &mut Tools,
    before: Probed<'_>,
    after: Probed<'_>,
) -> Result<(), CompareError> {
    let [was, is] = [before, after].map(|(_, media)| pictures(media));
    let (Some(was), Some(is)) = (was, is) else { return Ok(()) };
    if was.size != is.size {
        return Ok(());
    }
    match measure::likeness(tools, (before.0, was.index), (after.0, is.index))? {
        Measured::Is(likeness) if likeness.psnr.is_infinite() => facts.same("pictures"),
        Measured::Is(Likeness { psnr, ssim }) => {
            facts.note(&format!("pictures PSNR {psnr:.2} dB, SSIM {ssim:.4}"));
        }
        Measured::Missing => {}
        Measured::Not(why) => facts.note(&format!("pictures cannot be measured: {why}")),
    }
    Ok(())
}

fn pictures(media: &Media) -> Option<&Stream> {
    media.streams.iter().find(|stream| stream.size.is_some())
}
