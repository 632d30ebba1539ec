//! Pictures: texts show as they are and stay in the frame, what a drawing or page uses is given to
//! it, and a picture keeps what it shows in another form.

use std::fs;
use std::path::Path;

use crate::media::{built, output, probed, refused, rgb, workshop};
use crate::world::World;

/// What no text may do to the markup around it.
const NASTY: &str = r#"<b> & "it's" </text> &amp; ]]> {{{{ other }}}} größer"#;
/// The same as XML and HTML have it.
const ESCAPED: &str = "&lt;b&gt; &amp; &quot;it&#39;s&quot; &lt;/text&gt; &amp;amp; ]]&gt; \
                       {{ other }} größer";

const BACK: [u8; 3] = [0x1a, 0x1a, 0x2e];
const RED: [u8; 3] = [0xff, 0, 0];
const BLUE: [u8; 3] = [0, 0, 0xff];

/// A drawing in one colour but for its lower right quarter.
fn quarters(color: &str, quarter: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 40 20\">\
         <rect width=\"40\" height=\"20\" fill=\"{color}\"/>\
         <rect x=\"20\" y=\"10\" width=\"20\" height=\"10\" fill=\"{quarter}\"/></svg>"
    )
}

fn drawing(inner: &str) -> String {
    format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 40 20\">{inner}</svg>")
}

fn page(inner: &str) -> String {
    format!("<!doctype html><meta charset=\"utf-8\"><body style=\"margin: 0\">{inner}")
}

/// A workspace with targets of pictures and the files that these read.
fn with_files(targets: &str, files: &[(&str, &str)]) -> World {
    let world = workshop(&["image"], targets);
    for (name, text) in files {
        world.write(&format!("p/{name}"), text);
    }
    world
}

fn size(picture: &Path) -> [usize; 2] {
    let found = probed(picture, "v:0", "width,height");
    [found[0].parse().unwrap(), found[1].parse().unwrap()]
}

/// The decoded picture: its width, and its pixels row by row.
fn pixels(picture: &Path) -> (usize, Vec<[u8; 3]>) {
    let bytes = rgb(picture, 0);
    let pixels = bytes.chunks_exact(3).map(|three| [three[0], three[1], three[2]]).collect();
    (size(picture)[0], pixels)
}

#[track_caller]
fn assert_pixel(picture: &Path, [x, y]: [usize; 2], wanted: [u8; 3]) {
    let (width, pixels) = pixels(picture);
    let found = pixels[y * width + x];
    let is_near = found.iter().zip(wanted).all(|(have, want)| have.abs_diff(want) <= 20);
    assert!(is_near, "{found:?} at {x},{y} of {}, not {wanted:?}", picture.display());
}

/// Where there is anything but the background: the columns and rows of its bounds.
fn drawn(picture: &Path, within: impl Fn(usize, usize) -> bool) -> Option<[usize; 4]> {
    let (width, pixels) = pixels(picture);
    let places = pixels.iter().enumerate().filter(|(_, pixel)| **pixel != BACK);
    let places = places.map(|(at, _)| (at % width, at / width)).filter(|(x, y)| within(*x, *y));
    places.fold(None, |bounds: Option<[usize; 4]>, (x, y)| {
        let [left, top, right, bottom] = bounds.unwrap_or([x, y, x, y]);
        Some([left.min(x), top.min(y), right.max(x), bottom.max(y)])
    })
}

#[test]
fn a_filled_template_shows_every_text_as_it_is() {
    let targets = format!(
        r##"
        svg_template "drawn" src="a.svg" {{ values {{ title #"{NASTY}"# }}; texts {{ other "other.txt" }} }}
        html_template "page" src="a.html" {{ values {{ title #"{NASTY}"# }}; texts {{ other "other.txt" }} }}
        svg_render "png" src=":drawn" width=40
        "##
    );
    let text = "<text y=\"9\" id=\"{{ other }}\">{{title}}</text><!-- <text> \" -->";
    let html = page("<p class='x' title='{{title}}'>{{ title }} {{other}}</p><script>'<'</script>");
    let files =
        [("a.svg", &*drawing(text)), ("a.html", &html), ("other.txt", "\u{feff}1 < 2\r\n\n")];
    let world = with_files(&targets, &files);
    let svg = fs::read_to_string(built(&world, "drawn")).unwrap();
    assert!(svg.contains(&format!("<text y=\"9\" id=\"1 &lt; 2\">{ESCAPED}</text><!--")), "{svg}");
    let html = fs::read_to_string(built(&world, "page")).unwrap();
    let wanted = format!("title='{ESCAPED}'>{ESCAPED} 1 &lt; 2</p><script>'<'</script>");
    assert!(html.contains(&wanted), "{html}");
    assert_eq!(size(&built(&world, "png")), [40, 20]);
}

#[test]
fn a_template_and_its_values_have_the_same_fields() {
    let targets = r#"
        svg_template "missing" src="a.svg" { values { a "1" } }
        svg_template "unused" src="a.svg" { values { a "1"; b "2"; c "3" } }
        svg_template "twice" src="a.svg" { values { a "1"; b "2" }; texts { b "t.txt" } }
        svg_template "named" src="a.svg" { values { a "1"; b "2"; "c d" "3" } }
        svg_template "malformed" src="b.svg" { values { a "1" } }
    "#;
    let files = [
        ("a.svg", &*drawing("<text>{{a}}{{ b }}</text>")),
        ("b.svg", &drawing("<text>{{a!}}</text>")),
        ("t.txt", "x"),
    ];
    let world = with_files(targets, &files);
    let _said = refused(&world, "missing").says("`src` has a field `b` that is given no value");
    let _said = refused(&world, "unused").says("`src` has no field `c`");
    let _said = refused(&world, "twice").says("`b` is in `values` and in `texts`");
    let _said = refused(&world, "named").says("`c d` is no name of a field");
    let _said = refused(&world, "malformed").says("`{{a!}}</text></svg>` in `src` is no field");
}

#[test]
fn a_field_stands_where_escaping_holds() {
    let places = [
        ("<p title={{a}}>", "stands in a tag"),
        ("<script>let a = '{{a}}'</script>", "stands in a script"),
        ("<STYLE>p { color: {{a}} }</STYLE>", "stands in a style"),
        ("<!-- {{a}} -->", "stands in a comment"),
        ("<p title='{{a}}>", "ends within quotes"),
        ("<p onclick='f(\"{{a}}\")'>", "stands in `onclick`, where its text would be run"),
        ("<p id=x\n ONLOAD = \"{{a}}\">", "stands in `onload`"),
        ("<iframe srcdoc='{{a}}'>", "stands in `srcdoc`"),
        ("<a href=\"{{a}}\">", "says where `href` leads to"),
        ("<a href=' java{{a}}'>", "says where `href` leads to"),
        ("<a href='javascript:f(\"{{a}}\")'>", "says where `href` leads to"),
        ("<a href='java&#115;cript:{{a}}'>", "says where `href` leads to"),
        ("<svg><a xlink:href='{{a}}'>", "says where `xlink:href` leads to"),
        ("<button formaction='{{a}}'>", "says where `formaction` leads to"),
        ("<object data='data:text/html,{{a}}'>", "says where `data` leads to"),
        ("<p '{{a}}'>", "stands in quotes that are no value"),
        ("<p title=x='{{a}}'>", "stands in quotes that are no value"),
        ("<p title= x='{{a}}'>", "stands in quotes that are no value"),
    ];
    let target =
        |i| format!("html_template \"t{i}\" src=\"{i}.html\" {{ values {{ a \"1\" }} }}\n");
    let world = workshop(&["image"], &(0..places.len()).map(target).collect::<String>());
    for (i, (place, why)) in places.iter().enumerate() {
        world.write(&format!("p/{i}.html"), page(place));
        let _said = refused(&world, &format!("t{i}")).says(why);
    }
    let addresses = "<p style='color: {{a}}' data-src=\"{{a}}\"><a id='{{a}}' href='./{{a}}'>\
        <a href='?a=b&amp;c={{a}}'><a href='#{{a}}'><a href = 'mailto:{{a}}'>";
    world.write("p/0.html", page(addresses));
    let made = fs::read_to_string(built(&world, "t0")).unwrap();
    assert!(made.contains(&addresses.replace("{{a}}", "1")), "{made}");
}

#[test]
fn what_cannot_be_shown_is_no_text() {
    let targets = r#"
        html_template "control" src="a.html" { values { a "a\u{8}b" } }
        html_template "zero" src="a.html" { texts { a "zero.txt" } }
        html_template "latin" src="a.html" { texts { a "latin.txt" } }
        html_template "surrogate" src="a.html" { texts { a "surrogate.txt" } }
        slide "slide" text-file="latin.txt" width=160 height=90
    "#;
    let world = with_files(targets, &[("a.html", &page("{{a}}"))]);
    world.write("p/zero.txt", b"a\0b");
    world.write("p/latin.txt", b"gr\xfc\xdfe");
    world.write("p/surrogate.txt", b"\xed\xa0\x80");
    for name in ["control", "zero"] {
        let _said = refused(&world, name).says("the value of `a` has a control character");
    }
    for name in ["latin", "surrogate"] {
        let _said = refused(&world, name).says("the value of `a` is not UTF-8");
    }
    let _said = refused(&world, "slide").says("`text-file` is not UTF-8");
}

#[test]
fn a_long_text_is_broken_into_lines() {
    let text = "The quick brown fox jumps over the lazy dog & <others>.\n\n日本語のテキストは、どこでも改行できます。";
    let targets = r#"
        svg_template "broken" src="a.svg" { texts { a "t.txt" } }
        svg_template "high" src="b.svg" { texts { a "t.txt" } }
        svg_template "plain" src="c.svg" { texts { a "t.txt" } }
        svg_template "word" src="a.svg" { values { a "Donaudampfschiffahrt" } }
        svg_template "nowhere" src="d.svg" { values { a "b" } }
    "#;
    let files = [
        ("t.txt", text),
        ("a.svg", &*drawing("<text x=\"7\" data-wrap=\"16\">\n  {{a}}\n</text>")),
        ("b.svg", &drawing("<text x=\"7\" data-wrap=\"16\" data-lines=\"2\">{{a}}</text>")),
        ("c.svg", &drawing("<text x=\"7\">{{a}}</text>")),
        ("d.svg", &drawing("<text data-wrap=\"16\">{{a}}</text>")),
    ];
    let world = with_files(targets, &files);
    let svg = fs::read_to_string(built(&world, "broken")).unwrap();
    let (_, inner) = svg.split_once("data-wrap=\"16\">").unwrap();
    let (inner, _) = inner.split_once("</text>").unwrap();
    let inner = inner.replace("<tspan x=\"7\" dy=\"1.2em\">", "<tspan x=\"7\">");
    let lines: Vec<&str> = inner.split("</tspan>").filter(|line| !line.is_empty()).collect();
    let lines: Vec<&str> = lines.iter().map(|line| line.split_once('>').unwrap().1).collect();
    let wanted = [
        "The quick brown",
        "fox jumps over",
        "the lazy dog &amp;",
        "&lt;others&gt;.",
        " ",
        "日本語のテキスト",
        "は、どこでも改行",
        "できます。",
    ];
    assert_eq!(lines, wanted);
    let _said = refused(&world, "high").says("a text takes 8 lines, more than the 2 of data-lines");
    let _said = refused(&world, "plain").says("the value of `a` has several lines");
    let _said = refused(&world, "word").says("`Donaudampfschiffahrt` is longer than the 16");
    let _said = refused(&world, "nowhere").says("has no `x`");
}

#[test]
fn a_drawing_shows_the_pictures_that_it_is_given() {
    let targets = r##"
        svg_render "picture" src="quarters.svg" width=40
        image_convert "webp" src=":picture" format="webp"
        image_convert "jpg" src=":picture" format="jpg"
        svg_render "png" src="a.svg" width=40 { images { "in/a b.png" ":picture"; b.jpg ":jpg" } }
        svg_render "missing" src="a.svg" width=40 { images { b.jpg ":jpg" } }
        svg_render "linked" src="b.svg" width=40
        svg_render "embedded" src="c.svg" width=40
        svg_render "above" src="a.svg" width=40 { images { "../a.png" ":picture" } }
        svg_render "renamed" src="a.svg" width=40 { images { "in/a b.png" ":jpg"; b.jpg ":jpg" } }
    "##;
    let image = |href, x| format!("<image href='{href}' x='{x}' width='20' height='10'/>");
    let files = [
        ("quarters.svg", &*quarters("#f00", "#00f")),
        ("a.svg", &drawing(&(image("in/a%20b.png", 0) + &image("b.jpg", 20)))),
        ("b.svg", &drawing("<rect width='9' height='9' fill='url(other.svg#g)'/>")),
        ("c.svg", &drawing(&image("data:image/webp;base64,AAAA", 0))),
    ];
    let world = with_files(targets, &files);
    let png = built(&world, "png");
    for (place, color) in [([2, 2], RED), ([17, 8], BLUE), ([22, 2], RED), ([37, 8], BLUE)] {
        assert_pixel(&png, place, color);
    }
    let _said =
        refused(&world, "missing").says("the drawing names `in/a b.png`, a file that it is");
    let _said = refused(&world, "linked").says("the drawing names `other.svg#g`");
    let _said = refused(&world, "embedded").says("neither PNG nor JPEG");
    let _said = refused(&world, "above").says("a file cannot be called `../a.png`");
    let _said =
        refused(&world, "renamed").says("the picture `in/a b.png` is not what its name says");
}

#[test]
fn the_text_of_a_slide_stays_in_the_frame() {
    let long = "It is a long text that goes on and on. ".repeat(6);
    let targets = format!(
        r##"
        slide "title" width=320 height=180 text="{long}" subtext="{long}"
        slide "word" width=320 height=180 text="Donaudampfschiffahrtskapitän"
        slide "bullet" width=320 height=180 style="bullet" avatar-zone=#true {{
            text "One\n{long}\nThree"
            subtext "Heading"
        }}
        slide "quote" width=320 height=180 style="quote" text="{long}" subtext="Somebody"
        slide "usual" width=320 height=180 text="M"
        slide "larger" width=320 height=180 text="M" text-size=200
        slide "endless" width=320 height=180 text-file="endless.txt"
        slide "unbroken" width=320 height=180 text="{}"
        "##,
        "x".repeat(200),
    );
    let world = with_files(&targets, &[("endless.txt", &long.repeat(20))]);
    for name in ["title", "word", "bullet", "quote"] {
        let slide = built(&world, name);
        assert_eq!(size(&slide), [320, 180]);
        let [left, top, right, bottom] = drawn(&slide, |_, _| true).unwrap();
        assert!(left >= 19 && right <= 300, "{name}: {left} to {right}");
        assert!(top >= 14 && bottom <= 165, "{name}: {top} to {bottom}");
        assert!(right - left > 200, "{name} uses its width: {left} to {right}");
    }
    let avatar = |x, y| x >= 320 * 1400 / 1920 && y >= 180 * 800 / 1080;
    assert_eq!(drawn(&built(&world, "bullet"), avatar), None);
    let width = |name: &str| {
        let [left, _, right, _] = drawn(&built(&world, name), |_, _| true).unwrap();
        right - left
    };
    let [usual, larger] = ["usual", "larger"].map(width);
    assert!(larger.abs_diff(2 * usual) <= 2, "{usual} and {larger}");
    for name in ["endless", "unbroken"] {
        let _said =
            refused(&world, name).says("does not fit on the slide, not even at half its size");
    }
}

#[test]
fn a_slide_shows_what_it_is_given_and_no_boxes_for_letters() {
    let targets = r##"
        slide "markup" width=160 height=90 text="a & <i>b</i>"
        slide "escaped" width=160 height=90 text="a &amp; <i>b</i>"
        slide "nothing" width=160 height=90 text=" \n"
        slide "both" width=160 height=90 text="a" text-file="a.txt"
        slide "letters" width=160 height=90 text="größer 日本"
        slide "font" width=160 height=90 text="a" font="Nowhere Sans"
        svg_render "picture" src="quarters.svg" width=40
        slide "behind" width=160 height=90 text="." background=":picture" shade=0.5 background-color="#000000"
        "##;
    let world = with_files(targets, &[("a.txt", "a"), ("quarters.svg", &quarters("#f00", "#00f"))]);
    let [markup, escaped] =
        ["markup", "escaped"].map(|name| fs::read(built(&world, name)).unwrap());
    assert_ne!(markup, escaped);
    let _said = refused(&world, "nothing").says("there is no text on the slide");
    let _said = refused(&world, "both").says("`text` and `text-file` are both given");
    let _said = refused(&world, "letters").says("no font has `日`, `本` of `größer 日本`");
    let _said = refused(&world, "font").says("there is no font `Nowhere Sans`");
    let behind = built(&world, "behind");
    assert_pixel(&behind, [5, 5], [0x80, 0, 0]);
    assert_pixel(&behind, [155, 85], [0, 0, 0x80]);
}

#[test]
fn a_screenshot_shows_the_page_and_its_files() {
    let targets = r##"
        svg_render "picture" src="quarters.svg" width=40
        screenshot "png" src="a.html" width=80 height=40 scale=2 {
            assets { pictures "pictures"; "b c.png" ":picture" }
        }
        screenshot "clear" src="clear.html" width=80 height=40 background="#0000ff"
        screenshot "missing" src="a.html" width=80 height=40 { assets { pictures "pictures" } }
        screenshot "network" src="network.html" width=80 height=40
        screenshot "file" src="file.html" width=80 height=40
        screenshot "script" src="script.html" width=80 height=40
        "##;
    let files = [
        ("quarters.svg", &*quarters("#f00", "#00f")),
        ("pictures/a.svg", &quarters("#f00", "#00f")),
        ("clear.html", &page("")),
        ("network.html", &page("<link rel=stylesheet href=http://192.0.2.1/a.css>")),
        ("file.html", &page("<img src=file:///etc/passwd>")),
        ("script.html", &page("<script>nothing.at.all()</script>")),
    ];
    let world = with_files(targets, &files);
    let inner = "<style>div { width: 40px; height: 20px; background: url('b c.png') }</style>\
                 <img src=pictures/a.svg?x#y width=40 style='float: left'><div style='margin-left: 40px'></div>";
    world.write("p/a.html", page(inner));
    let png = built(&world, "png");
    assert_eq!(size(&png), [160, 80]);
    let white = [0xff; 3];
    let places = [([10, 10], RED), ([70, 30], BLUE), ([90, 10], RED), ([150, 30], BLUE)];
    for (place, color) in places.into_iter().chain([([10, 60], white)]) {
        assert_pixel(&png, place, color);
    }
    assert_pixel(&built(&world, "clear"), [40, 20], BLUE);
    let _said =
        refused(&world, "missing").says("the page asks for `b c.png`, which it is not given");
    let _said = refused(&world, "network").says("the page asks for `http://192.0.2.1/a.css`");
    let _said = refused(&world, "file").says("the page asks for `file:///etc/passwd`");
    let _said = refused(&world, "script").says("ReferenceError: nothing is not defined");
}

#[test]
fn a_screenshot_is_of_one_moment_and_never_of_an_old_page() {
    let moving = |color: &str| {
        let style = "@keyframes m { to { left: 80px } }\
                     div { position: absolute; top: 0; left: 0; width: 9px; height: 40px; animation: m 2s linear }";
        page(&format!(
            "<style>{style}</style><div style='background: {color}'></div><p id=p></p>\
             <script>setTimeout(() => p.textContent = Math.random(), 500)</script>"
        ))
    };
    let target = "screenshot \"png\" src=\"a.html\" width=80 height=40";
    let world = with_files(target, &[("a.html", &moving("#f00"))]);
    let png = built(&world, "png");
    assert_pixel(&png, [41, 2], RED);
    assert_pixel(&png, [38, 2], [0xff; 3]);
    let first = fs::read(&png).unwrap();
    for store in ["second", "third"] {
        let again = fs::read(built(&world.with_store(store), "png")).unwrap();
        assert_eq!(first, again, "in the store {store}");
    }
    world.write("p/a.html", moving("#00f"));
    assert_pixel(&built(&world, "png"), [41, 2], BLUE);
}

#[test]
fn the_scripts_of_a_page_see_the_same_time_in_each_picture() {
    let script = "<p id=p></p><script>setTimeout(() => { p.textContent = [Date.now(), Date(), \
        new Date().getTime(), new (new Date).constructor().getTime(), performance.now(), \
        performance.timeOrigin, new Intl.DateTimeFormat('en').format(), document.lastModified, \
        new Date(5).getTime(), new Date() instanceof Date, document.compatMode, \
        document.characterSet].join('; '); \
        if (p.textContent != SEEN) throw p.textContent }, 250)</script>";
    let day = "Sat Jan 01 2000 00:00:00 GMT+0000 (Coordinated Universal Time)";
    let seen = format!(
        "946684800200; {day}; 946684800200; 946684800200; 200; 946684800000; 1/1/2000; \
         01/01/2000 00:00:00; 5; true; CSS1Compat; UTF-8"
    );
    let script = script.replace("SEEN", &format!("'{seen}'"));
    let before = "\u{feff}<!-- > -->\n <!-- b -->";
    let frames = "<script>requestAnimationFrame(t => { if (t % 100) throw t })</script>";
    let files = [
        ("a.html", &*page(&script)),
        ("b.html", &format!("{before}{}{frames}", page(&script).replace("<!doctype", "<!DOCTYPE"))),
        (
            "c.html",
            &page(&script.replace("CSS1Compat", "BackCompat")).replace("<!doctype html>", ""),
        ),
    ];
    let targets = ["a", "b", "c"]
        .map(|name| format!("screenshot \"{name}\" src=\"{name}.html\" width=80 height=40\n"));
    let world = with_files(&targets.concat(), &files);
    for name in ["a", "b", "c"] {
        let _made = built(&world, name);
    }
}

#[test]
fn a_converted_picture_has_the_size_asked_for() {
    let targets = r##"
        svg_render "src" src="quarters.svg" width=40
        image_convert "same" src=":src"
        image_convert "width" src=":src" width=20
        image_convert "height" src=":src" height=30
        image_convert "contain" src=":src" width=30 height=30
        image_convert "pad" src=":src" width=40 height=40 fit="pad" background="#1a1a2e"
        image_convert "cover" src=":src" width=20 height=20 fit="cover"
        image_convert "stretch" src=":src" width=20 height=20 fit="stretch" format="webp"
        image_convert "frameless" src=":src" width=20 fit="cover"
        "##;
    let world = with_files(targets, &[("quarters.svg", &quarters("#f00", "#00f"))]);
    let sizes = [
        ("same", [40, 20]),
        ("width", [20, 10]),
        ("height", [60, 30]),
        ("contain", [30, 15]),
        ("pad", [40, 40]),
        ("cover", [20, 20]),
        ("stretch", [20, 20]),
    ];
    for (name, wanted) in sizes {
        assert_eq!(size(&built(&world, name)), wanted, "{name}");
    }
    assert_eq!(rgb(&built(&world, "same"), 0), rgb(&built(&world, "src"), 0));
    let pad = built(&world, "pad");
    for (place, color) in [([2, 5], BACK), ([2, 15], RED), ([37, 25], BLUE), ([37, 35], BACK)] {
        assert_pixel(&pad, place, color);
    }
    assert_pixel(&built(&world, "cover"), [14, 14], BLUE);
    let _said = refused(&world, "frameless").says("`fit` is `cover`, which needs a frame");
}

#[test]
fn a_converted_picture_is_upright_and_keeps_what_shows_through() {
    let targets = r##"
        image_convert "upright" src="turned.jpg"
        svg_render "clear" src="clear.svg" width=40
        image_convert "small" src=":clear" width=10
        image_convert "jpg" src=":clear" format="jpg"
        image_convert "opaque" src=":clear" format="jpg" background="#0000ff"
        image_convert "rough" src=":opaque" format="jpg" quality=1
        image_convert "moving" src="moving.gif"
        image_convert "vector" src="clear.svg"
        image_convert "broken" src="broken.png"
        "##;
    let clear = drawing("<circle cx=\"20\" cy=\"10\" r=\"7.3\" fill=\"#f00\"/>");
    let world = with_files(targets, &[("clear.svg", &clear), ("broken.png", "none")]);
    let made = |input: &str, more: &[&str]| {
        output("ffmpeg", &[&["-v", "error", "-f", "lavfi", "-i", input], more, &["-"]].concat())
    };
    let jpeg = "color=red:s=40x20,drawbox=0:0:20:10:blue:fill,format=yuvj444p";
    let jpeg = made(jpeg, &["-frames:v", "1", "-f", "mjpeg"]);
    // Its orientation, 6: what is left at the top belongs right at the top.
    let exif =
        b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    world.write("p/turned.jpg", [&jpeg[..2], exif, &jpeg[2..]].concat());
    world.write("p/moving.gif", made("testsrc2=s=16x16:r=5:d=1", &["-f", "gif"]));

    let upright = built(&world, "upright");
    assert_eq!(size(&upright), [20, 40]);
    assert_pixel(&upright, [15, 5], BLUE);
    assert_pixel(&upright, [5, 5], RED);

    // What is transparent is black in the drawing, and does not darken the edge of what is red.
    let small = built(&world, "small");
    let args =
        ["-v", "error", "-i", small.to_str().unwrap(), "-f", "rawvideo", "-pix_fmt", "rgba", "-"];
    let edge: Vec<u8> = output("ffmpeg", &args);
    let shown: Vec<&[u8]> = edge.chunks_exact(4).filter(|pixel| pixel[3] > 8).collect();
    assert!(shown.iter().any(|pixel| pixel[3] < 200), "there is an edge");
    assert!(shown.iter().all(|pixel| pixel[0] > 0xe0 && pixel[1] == 0), "{shown:?}");

    let opaque = built(&world, "opaque");
    assert_pixel(&opaque, [2, 2], BLUE);
    assert_pixel(&opaque, [20, 10], RED);
    assert!(
        fs::metadata(built(&world, "rough")).unwrap().len() < fs::metadata(&opaque).unwrap().len()
    );
    let _said = refused(&world, "jpg").says("the picture is transparent, which JPEG cannot be");
    let _said = refused(&world, "moving").says("`src` is not a single picture");
    let _said = refused(&world, "vector").says("`src` is an SVG");
    let _said = refused(&world, "broken").says("`src` cannot be read as a picture");
}

#[test]
fn a_picture_lies_over_another() {
    let targets = r##"
        svg_render "front" src="front.svg" width=40
        svg_render "back" src="quarters.svg" width=40
        image_overlay "both" image=":front" background=":back" width=40 height=20
        "##;
    let front = drawing("<rect width=\"20\" height=\"20\" fill=\"#00f\"/>");
    let files = [("front.svg", &*front), ("quarters.svg", &quarters("#f00", "#00f"))];
    let world = with_files(targets, &files);
    let both = built(&world, "both");
    for (place, color) in [([2, 2], BLUE), ([37, 2], RED), ([37, 17], BLUE)] {
        assert_pixel(&both, place, color);
    }
}
