//! Texts: sections of a narration, and what is said of a video.

use std::fs;
use std::path::Path;

use crate::media::{built, refused, workshop};
use crate::world::{World, contents};

/// A narration in which everything is that a splitter may fall over.
const NARRATION: &str = "# Title\nbefore\n## Hook!\n\nHello\n\n```sh\n## no heading\n~~~\n```\nend\n\n\n\
    ## Größe\n    ## code\nx\n## Hook\n### sub\n````\n```\n## no heading\n````\ny\n## 日本\n\n## Hook 2\nz";

const CAPS: &str = "Preface\nDESCRIPTION:\n\n  A film.\n\nNOTE: no heading\nNote this:\nabout\n\
    ÄÖÜ übe:\nlow\n  NARRATION: \n\nHello\nthere\n\n";

/// The files of a directory, by name.
fn texts(folder: &Path) -> Vec<(String, String)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    contents(folder).into_iter().map(|(name, bytes)| (name, text(bytes))).collect()
}

fn pairs(texts: &[(String, String)]) -> Vec<(&str, &str)> {
    texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

/// The sections that a use of `split_sections` with these attributes makes of a text.
fn split(text: &str, attributes: &str) -> Vec<(String, String)> {
    let world = splitting(text, attributes);
    texts(&built(&world, "it"))
}

fn splitting(text: &str, attributes: &str) -> World {
    let world = workshop(&["text"], &format!("split_sections \"it\" src=\"it.md\" {attributes}"));
    world.write("p/it.md", text);
    world
}

#[test]
fn markdown_is_split_at_headings_that_are_no_code() {
    let made = split(NARRATION, "");
    let hook = "Hello\n\n```sh\n## no heading\n~~~\n```\nend\n";
    let wanted = [
        ("01-hook.txt", hook),
        ("02-gr-e.txt", "    ## code\nx\n"),
        ("03-hook-2.txt", "````\n```\n## no heading\n````\ny\n"),
        ("04-3467007322.txt", "\n"),
        ("05-hook-2-2.txt", "z\n"),
    ];
    assert_eq!(pairs(&made), wanted);

    let windows = format!("\u{feff}{}\r\n", NARRATION.replace('\n', "\r\n"));
    assert_eq!(split(&windows, ""), made, "a byte order mark and carriage returns change nothing");
    let level = split(NARRATION, "level=3");
    assert_eq!(level.len(), 1);
    assert!(level[0].1.starts_with("````\n```\n## no heading\n"), "{level:?}");
}

#[test]
fn a_section_ends_at_a_higher_heading_and_has_no_lower_ones() {
    let text = "## One\n\n### Sub\na\n#### Deeper\n####### no heading\n#hash\n```\n# code\n```\n\n\
        # Notes\nnot spoken\n### Sub\nneither\n##\tTwo\nb\n#\nnot spoken\n";
    let wanted =
        [("01-one.txt", "a\n####### no heading\n#hash\n```\n# code\n```\n"), ("02-two.txt", "b\n")];
    assert_eq!(pairs(&split(text, "")), wanted);
}

#[test]
fn a_section_has_a_name_however_long_its_heading_is() {
    let heading = "a very long heading of many words ".repeat(60);
    let made = split(&format!("## {heading}\none\n## {heading}\ntwo\n"), "");
    let name = "a-very-long-heading-of-many-words-a-very-long-heading-of-many-words-a-very-long";
    let [first, second] = [format!("01-{name}.txt"), format!("02-{name}-2.txt")];
    assert_eq!(pairs(&made), [(&*first, "one\n"), (&*second, "two\n")]);
}

#[test]
fn a_hundred_sections_stay_in_order() {
    let text: String = (1..=101).map(|number| format!("## Part\n{number}\n")).collect();
    let made = split(&text, "");
    assert_eq!(made.len(), 101);
    for (index, (name, text)) in made.iter().enumerate() {
        let number = index + 1;
        assert!(name.starts_with(&format!("{number:03}-part")), "{name}");
        assert_eq!(text, &format!("{number}\n"));
    }
}

#[test]
fn caps_are_the_headings_of_lines_in_upper_case() {
    let made = split(CAPS, "style=\"caps\"");
    let wanted = [
        ("01-description.txt", "A film.\n\nNOTE: no heading\nNote this:\nabout\n"),
        ("02-be.txt", "low\n"),
        ("03-narration.txt", "Hello\nthere\n"),
    ];
    assert_eq!(pairs(&made), wanted);
    assert_eq!(split(&format!("\u{feff}{}", CAPS.replace('\n', "\r\n")), "style=\"caps\""), made);

    let chosen = split(CAPS, "style=\"caps\" { headings \"NARRATION:\" \"NOTE:\" }");
    let wanted = [
        ("01-narration.txt", "Hello\nthere\n"),
        ("02-note.txt", "no heading\nNote this:\nabout\n"),
    ];
    assert_eq!(pairs(&chosen), wanted, "in the order of the names, and from within a line");
}

#[test]
fn a_text_that_cannot_be_split_is_refused() {
    let refusal = |text: &str, attributes: &str| refused(&splitting(text, attributes), "it");
    let _none = refusal("words\n### Three\n", "").says("no heading of level 2");
    let _empty =
        refusal("", "style=\"caps\"").says("is empty").says("write `INTRO:` and a sentence");
    let _lower = refusal("hook:\nwords\n", "style=\"caps\"").says("no heading such as `HOOK:`");
    let _fence = refusal("## A\n\n```\ncode\n## B\n", "").says("that line 3 begins has no end");
    let _blank = refusal("## A\n## \nwords\n", "").says("heading 2 of level 2 has no words");
    let chosen = "style=\"caps\" { headings \"CREDITS:\" }";
    let _missing = refusal(CAPS, chosen).says("the text has no `CREDITS:`");
    let _markdown = refusal(NARRATION, "{ headings \"Hook\" }").says("are for the style `caps`");
}

fn describing(attributes: &str) -> World {
    let world =
        workshop(&["text"], &format!("description \"it\" summary=\"summary.txt\" {attributes}"));
    world.write(
        "p/summary.txt",
        "\u{feff}\r\nHow it *works* & <why>.\r\n\r\nReally: $(date) `x`\r\n\r\n",
    );
    world.write("p/chapters.txt", "00:00 Intro\n00:07 Größe = 1\n");
    world.write("p/credit.txt", "Music: a, b\n(CC BY 4.0)\n");
    world
}

#[test]
fn a_description_has_its_parts_in_order() {
    let world = describing(
        r##"chapters="chapters.txt" music="Music: \"Song\" by 100% $HOME" {
            links "https://example.org/?a=b&c=d" "More: https://example.org"
            hashtags "film" "#größe" "c_2"
        }"##,
    );
    let made = fs::read_to_string(built(&world, "it")).unwrap();
    let wanted = "How it *works* & <why>.\n\nReally: $(date) `x`\n\n\
        00:00 Intro\n00:07 Größe = 1\n\nMusic: \"Song\" by 100% $HOME\n\n\
        https://example.org/?a=b&c=d\nMore: https://example.org\n\n#film #größe #c_2\n";
    assert_eq!(made, wanted);

    let alone = fs::read_to_string(built(&describing(""), "it")).unwrap();
    assert_eq!(alone, "How it *works* & <why>.\n\nReally: $(date) `x`\n");
    let credit = fs::read_to_string(built(&describing("music-file=\"credit.txt\""), "it")).unwrap();
    assert_eq!(credit, format!("{alone}\nMusic: a, b\n(CC BY 4.0)\n"));
}

#[test]
fn a_description_that_would_not_be_taken_is_refused() {
    let refusal = |attributes: &str| refused(&describing(attributes), "it");
    for tag in ["two words", "#", "", "a,b", "a#b"] {
        let told = refusal(&format!("hashtags={tag:?}"));
        let _told = told.says(&format!("`{tag}` cannot be a hashtag"));
    }
    let _late = refusal("chapters=\"credit.txt\"").says("is not at 00:00");
    let _both = refusal("music=\"a\" music-file=\"credit.txt\"").says("both `music` and");
    let _line = refusal(r#"links="a\nb""#).says("one of `links` is empty or has a line break");
    // Its characters are counted, not its bytes, and not the newline at its end.
    let world = describing("hashtags=\"größe\" max-chars=52");
    let made = fs::read_to_string(built(&world, "it")).unwrap();
    assert_eq!(made.trim_end().chars().count(), 52);
    let _long = refusal("hashtags=\"größe\" max-chars=51").says("has 52 characters, and 51");
    let world = describing("");
    world.write("p/summary.txt", "\n \n");
    let _empty = refused(&world, "it").says("`summary` is empty");
}
