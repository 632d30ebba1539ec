//! Makes the table behind `vwfb explain` from the pages in `docs/errors/`, and that of the built-in
//! templates from `templates/`.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let root = env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo names no CARGO_MANIFEST_DIR")?;
    let out = env::var_os("OUT_DIR").ok_or("cargo names no OUT_DIR")?;
    let (root, out) = (Path::new(&root), Path::new(&out));
    fs::write(out.join("pages.rs"), pages(&root.join("docs/errors"))?)?;
    fs::write(out.join("templates.rs"), templates(&root.join("templates"))?)?;
    Ok(())
}

/// The pages in `folder` by their codes.
fn pages(folder: &Path) -> Result<String, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut pages = entries(folder)?;
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    let mut table = "&[\n".to_owned();
    for page in pages {
        let code =
            page.file_stem().and_then(|stem| stem.to_str()).ok_or("a page's name is not UTF-8")?;
        writeln!(table, "    ({code:?}, include_str!({page:?})),")?;
    }
    table.push_str("]\n");
    Ok(table)
}

/// The templates in `folder` by their names, each with its files.
fn templates(folder: &Path) -> Result<String, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut table = "&[\n".to_owned();
    for template in entries(folder)? {
        let name = template.file_name().and_then(|name| name.to_str());
        writeln!(table, "    ({:?}, &[", name.ok_or("a template's name is not UTF-8")?)?;
        add_files(&template, &template, &mut table)?;
        table.push_str("    ]),\n");
    }
    table.push_str("]\n");
    Ok(table)
}

fn add_files(template: &Path, folder: &Path, table: &mut String) -> Result<(), Box<dyn Error>> {
    for path in entries(folder)? {
        if path.is_dir() {
            add_files(template, &path, table)?;
        } else {
            let name = path.strip_prefix(template)?;
            writeln!(table, "        ({name:?}, include_bytes!({path:?})),")?;
        }
    }
    Ok(())
}

/// What is in `folder`, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}
