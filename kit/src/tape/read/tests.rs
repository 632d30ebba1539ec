//! Every command and setting, and everything that can be wrong with a tape.

use std::io;

use super::*;

fn sources(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("demos/setup.tape") => Ok("Type \"cd\"\nEnter".to_owned()),
        Some("demos/deep.tape") => Ok("Source setup.tape".to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

#[track_caller]
fn tape(text: &str) -> Tape {
    let read = parse("demos/a.tape", text, &sources);
    read.unwrap_or_else(|problems| panic!("{}", problems[0]))
}

/// The actions of a tape as `Debug` has them, shortened.
fn actions(text: &str) -> Vec<String> {
    let steps = tape(text).steps.into_iter();
    steps.map(|step| format!("{:?}", step.action)).collect()
}

fn problems(text: &str) -> Vec<String> {
    let found = parse("demos/a.tape", text, &sources).unwrap_err().into_iter();
    let told = found.map(|Problem { spot, message, hint, .. }| {
        let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{}:{}: {message}{hint}", spot.line, spot.column)
    });
    told.collect()
}

#[test]
fn text_is_typed_as_it_stands_in_quotes_or_bare() {
    let texts = |text: &str| -> Vec<String> {
        let steps = tape(text).steps.into_iter();
        steps
            .filter_map(|step| match step.action {
                Action::Type { text, .. } => Some(text),
                _ => None,
            })
            .collect()
    };
    let kinds = "Type \"it's\"\nType 'say \"hi\"'\nType `echo \"$x'y'\"`\nType ls";
    assert_eq!(texts(kinds), ["it's", "say \"hi\"", "echo \"$x'y'\"", "ls"]);
    assert_eq!(texts("Type \"one\" two 'three' # not this"), ["one two three"]);
    assert_eq!(texts("Type \"# typed\" Enter"), ["# typed"]);
    assert_eq!(
        actions("Type@.5 \"x\" Sleep 1m"),
        ["Type { text: \"x\", every: Some(500ms) }", "Sleep(60s)"]
    );
}

#[test]
fn every_key_may_be_pressed_often_and_slowly() {
    for (name, key) in Named::ALL {
        let steps = tape(&format!("{name}\n{name}@200ms 3\n{name} 2 {name}@1s")).steps;
        let presses: Vec<_> = steps
            .into_iter()
            .map(|step| match step.action {
                Action::Press { key, every, times } => (key.base, every, times),
                other => panic!("{other:?}"),
            })
            .collect();
        let base = Base::Named(key);
        let (slow, slower) = (Duration::from_millis(200), Duration::from_secs(1));
        let wanted =
            [(base, None, 1), (base, Some(slow), 3), (base, None, 2), (base, Some(slower), 1)];
        assert_eq!(presses, wanted, "{name}");
    }
}

#[test]
fn keys_are_held_together() {
    let bytes = |text: &str| match &tape(text).steps[0].action {
        Action::Press { key, .. } => key.bytes(false).unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(bytes("Ctrl+C"), b"\x03");
    assert_eq!(bytes("Ctrl+["), b"\x1b");
    assert_eq!(bytes("Ctrl+\\"), b"\x1c");
    assert_eq!(bytes("Ctrl+@"), b"\0");
    assert_eq!(bytes("Ctrl+Alt+d"), b"\x1b\x04");
    assert_eq!(bytes("Alt+."), b"\x1b.");
    assert_eq!(bytes("Shift+Tab"), b"\x1b[Z");
    assert_eq!(bytes("Shift+a"), b"A");
    assert_eq!(bytes("Ctrl+Shift+Left"), b"\x1b[1;6D");
    assert_eq!(actions("Ctrl+R@100ms 2").len(), 1);
}

#[test]
fn waits_and_pauses_have_their_times_and_patterns() {
    assert_eq!(
        actions("Sleep 500ms\nSleep 2s\nSleep .5\nSleep 2"),
        ["Sleep(500ms)", "Sleep(2s)", "Sleep(500ms)", "Sleep(2s)"]
    );
    let waits = tape("Wait\nWait+Screen@10s /a\\/b/\nWait+Line /x y/ Wait@1s").steps;
    let told: Vec<_> = waits
        .into_iter()
        .map(|step| match step.action {
            Action::Wait { screen, timeout, pattern } => {
                (screen, timeout.map(|it| it.as_secs()), pattern.map(|it| it.to_string()))
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        told,
        [
            (false, None, None),
            (true, Some(10), text("a/b")),
            (false, None, text("x y")),
            (false, Some(1), None)
        ]
    );
}

#[test]
fn the_other_commands_are_known() {
    let text = "Output demo.gif\nOutput frames/\nRequire git\nRequire \"jq\"\nEnv GREETING \"hi you\"\n\
        Hide Show\nScreenshot shots/one.png\nCopy \"text\"\nPaste\nSource setup.tape\nSet TypingSpeed 1s";
    let tape = tape(text);
    assert_eq!(tape.requires, ["git", "jq"]);
    assert_eq!(tape.env, [("GREETING".to_owned(), "hi you".to_owned())]);
    let actions: Vec<_> = tape.steps.iter().map(|step| format!("{:?}", step.action)).collect();
    assert_eq!(actions[..5], ["Hide", "Show", "Screenshot(\"one\")", "Copy(\"text\")", "Paste"]);
    assert_eq!(actions[5], "Type { text: \"cd\", every: None }");
    assert_eq!(tape.steps[5].spot.to_string(), "demos/setup.tape:1:1");
    assert_eq!(actions[7], "TypingSpeed(1s)");
}

#[test]
fn all_settings_are_taken() {
    let set = tape(
        "Set Shell sh\nSet FontSize 20\nSet FontFamily \"DejaVu Sans Mono\"\nSet LetterSpacing 1\n\
         Set LineHeight 1.2\nSet Width 640\nSet Height 360\nSet Padding 5\nSet Margin 8\n\
         Set MarginFill \"#6B50FF\"\nSet WindowBar Rings\nSet WindowBarSize 40\nSet BorderRadius 8\n\
         Set Theme nord\nSet TypingSpeed 0.1\nSet PlaybackSpeed 1.5\nSet Framerate 24\n\
         Set CursorBlink false\nSet LoopOffset 20.5%\nSet LoopOffset 5\nSet WaitTimeout 3s\n\
         Set WaitPattern /\\$$/",
    )
    .settings;
    assert_eq!((set.shell.as_str(), set.font_size, set.line_height), ("sh", 20.0, 1.2));
    assert_eq!((set.width, set.height, set.padding, set.margin), (Some(640), Some(360), 5, 8));
    assert_eq!(set.margin_fill, Some(Rgb(0x6b, 0x50, 0xff)));
    assert_eq!(set.window_bar, Some(WindowBar { rings: true, right: false }));
    assert_eq!((set.window_bar_size, set.border_radius), (40, 8));
    assert_eq!(set.theme, Theme::named("Nord").unwrap());
    assert_eq!(set.typing_speed, Duration::from_millis(100));
    assert_eq!((set.playback_speed, set.cursor_blink), (1.5, false));
    assert_eq!(set.wait_timeout, Duration::from_secs(3));
    assert_eq!(set.wait_pattern.as_str(), "\\$$");
}

#[test]
fn the_defaults_are_those_of_the_house() {
    let set = tape("").settings;
    assert_eq!((set.shell.as_str(), set.font_size, set.padding), ("bash", 32.0, 20));
    assert_eq!((set.typing_speed, set.theme), (Duration::from_millis(50), Theme::dracula()));
}

#[test]
fn everything_wrong_is_told_at_once_with_its_place() {
    let text = "Tpye \"ls\"\n  Set FontSiz 3\nSleep soon\nType \"open\nEnter\nWait /(/\n";
    assert_eq!(
        problems(text),
        [
            "1:1: no command `Tpye` (did you mean `Type`?)",
            "2:7: no setting `FontSiz` (did you mean `FontSize`?)",
            "3:7: `soon` is no time (times are written `500ms`, `2s`, `.5` or `1m`)",
            "4:6: the text has no `\"` at its end (texts end on their line; to type a quote, use another around it)",
            "6:6: not a regular expression: found open group without closing ')'",
        ]
    );
}

#[test]
fn each_mistake_has_its_own_words() {
    let one = |text: &str| {
        let told = problems(text);
        assert_eq!(told.len(), 1, "{told:?}");
        told[0].clone()
    };
    for (text, wanted) in [
        ("Set Theme Dracla", "1:1: no theme `Dracla` (did you mean `Dracula`?)"),
        ("Set Theme { \"black\": 1 }", "1:1: the theme's `black` is `1`, not `\"#rrggbb\"`"),
        ("Set FontSize big", "1:14: `FontSize` is a number from 4 to 400, not `big`"),
        ("Set Padding -3", "1:13: `Padding` is a number from 0 to 2000, not `-3`"),
        ("Set CursorBlink maybe", "1:1: `CursorBlink` is `true` or `false`, not `maybe`"),
        (
            "Set MarginFill red",
            "1:1: `red` is no colour (write it in quotes, as in `Set MarginFill \"#1a1a2e\"`)",
        ),
        (
            "Set WindowBar Round",
            "1:1: no window bar `Round` (there are `Colorful`, `ColorfulRight`, `Rings` and `RingsRight`)",
        ),
        (
            "Enter\nSet Width 300",
            "2:5: `Width` is set after the first command that acts (set it at the top of the tape; only `TypingSpeed` may change later)",
        ),
        ("Enter 0", "1:7: a key is pressed 1 to 10000 times, not 0"),
        ("Enter,", "1:6: `Enter` cannot be followed by `,`"),
        ("Type", "1:1: `Type` needs a text after it"),
        ("Type@x \"a\"", "1:6: `x` is no time (times are written `500ms`, `2s`, `.5` or `1m`)"),
        ("Sleep", "1:6: `Sleep` needs a time (times are written `500ms`, `2s`, `.5` or `1m`)"),
        ("Wait+Page /x/", "1:6: `Wait` looks at no `Page` (write `Wait+Screen` or `Wait+Line`)"),
        ("Wait /x", "1:6: the pattern has no `/` at its end"),
        ("Set WaitPattern x", "1:17: a pattern is written `/like this/`"),
        ("Ctrl", "1:1: `Ctrl` needs a key (write `Ctrl+C`)"),
        ("Ctrl+Entr", "1:6: no key `Entr` (did you mean `Enter`?)"),
        ("Ctrl+é", "1:1: no terminal can tell that key"),
        (
            "Subtitle \"x\"",
            "1:1: subtitles are not part of a recording here (put them on the clip with the rule `burn_subtitles`)",
        ),
        (
            "\"ls\"",
            "1:1: `\"ls\"` is no command (each command begins with its name, as in `Type \"ls\"`)",
        ),
        ("Source deep.tape", "1:1: a tape that another one names cannot name a third one"),
    ] {
        assert_eq!(one(text), wanted, "{text}");
    }
    assert!(one("Source none.tape").starts_with("1:1: cannot read `none.tape`: "));
}

#[test]
fn a_problem_shows_its_line() {
    let problem = &parse("a.tape", "Enter\n  Tpye \"ls\"", &sources).unwrap_err()[0];
    assert_eq!(
        problem.to_string(),
        "error: no command `Tpye`\n --> a.tape:2:3\n2 |   Tpye \"ls\"\n  |   ^\nhint: did you mean `Type`?"
    );
}
