//! `--timings`: where a command's own time went, as a table for people or as JSON for programs.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use vwfb_cas::profile::{Profile, measure_times};

use crate::args::TimingArgs;
use crate::error::{CommandError, Exit};
use crate::session::Context;
use crate::units;

/// The version of the JSON.
const VERSION: u8 = 1;

/// Runs `command`, and then tells where its time went, if that is asked for.
pub(crate) fn around(
    ctx: &Context,
    args: &TimingArgs,
    command: impl FnOnce() -> Result<Exit, CommandError>,
) -> Result<Exit, CommandError> {
    let Some(to) = &args.timings else { return command() };
    let file = to.as_deref().map(|path| Target::create(ctx.folder.join(path))).transpose()?;
    let begun = Instant::now();
    measure_times();
    let ended = command();
    let (profile, whole) = (Profile::so_far(), begun.elapsed());
    let told = match file {
        Some(file) => file.write(&as_json(&profile, whole)),
        None => {
            ctx.ui.say(as_table(&profile, whole).trim_end());
            Ok(())
        }
    };
    ended.and_then(|exit| told.map(|()| exit))
}

/// A file that the JSON goes to, made before there is anything to tell.
struct Target {
    path: PathBuf,
    file: File,
}

impl Target {
    fn create(path: PathBuf) -> Result<Self, CommandError> {
        match File::create(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(source) => Err(CommandError::Io { deed: "write timings to", path, source }),
        }
    }

    fn write(mut self, value: &Value) -> Result<(), CommandError> {
        self.file.write_all(format!("{value:#}\n").as_bytes()).map_err(|source| CommandError::Io {
            deed: "write timings to",
            path: self.path,
            source,
        })
    }
}

/// Phases and counters that are not zero.
fn as_table(profile: &Profile, whole: Duration) -> String {
    let took = units::told(whole);
    let mut text = format!("where the {took} went, the time of all threads added up\n");
    for (phase, spent, times) in &profile.phases {
        if *times > 0 {
            let share = 100.0 * spent.as_secs_f64() / whole.as_secs_f64();
            let millis = spent.as_secs_f64() * 1_000.0;
            let times = units::counted(*times, "time");
            text.push_str(&format!(
                "  {:<17} {millis:>9.1} ms {share:>6.1} %  {times}\n",
                phase.as_str()
            ));
        }
    }
    for (counter, count) in &profile.counters {
        if *count > 0 {
            text.push_str(&format!("  {:<17} {count:>9}\n", counter.as_str()));
        }
    }
    text
}

fn as_json(profile: &Profile, whole: Duration) -> Value {
    let phases = profile.phases.iter().map(|(phase, spent, times)| {
        (phase.as_str().to_owned(), json!({ "us": micros(*spent), "times": times }))
    });
    let counters =
        profile.counters.iter().map(|(counter, count)| (counter.as_str().to_owned(), json!(count)));
    json!({
        "v": VERSION,
        "whole_us": micros(whole),
        "phases": phases.collect::<Map<String, Value>>(),
        "counters": counters.collect::<Map<String, Value>>(),
    })
}

/// Whole microseconds.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use vwfb_cas::profile::{Counter, Phase};

    use super::*;

    fn profile() -> Profile {
        Profile {
            phases: vec![
                (Phase::Stat, Duration::from_micros(12_345), 1_000),
                (Phase::Spawn, Duration::ZERO, 0),
                (Phase::Materialise, Duration::from_millis(50), 1),
            ],
            counters: vec![(Counter::FilesStatted, 2_000), (Counter::FilesHashed, 0)],
        }
    }

    #[test]
    fn the_table_has_what_is_not_zero() {
        assert_eq!(
            as_table(&profile(), Duration::from_millis(100)),
            "where the 100 ms went, the time of all threads added up\n\
             \x20 stat                   12.3 ms   12.3 %  1000 times\n\
             \x20 materialise            50.0 ms   50.0 %  1 time\n\
             \x20 files-statted          2000\n"
        );
    }

    #[test]
    fn the_json_has_everything() {
        assert_eq!(
            as_json(&profile(), Duration::from_millis(100)),
            json!({
                "v": 1,
                "whole_us": 100_000,
                "phases": {
                    "stat": { "us": 12_345, "times": 1_000 },
                    "spawn": { "us": 0, "times": 0 },
                    "materialise": { "us": 50_000, "times": 1 },
                },
                "counters": { "files-statted": 2_000, "files-hashed": 0 },
            })
        );
    }
}
