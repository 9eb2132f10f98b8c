//! What a browser loads: styles bundled and minified, islands as wasm, names that carry a hash, compressed beforehand.
use crate::{
    machine::{Done, root, say, target},
    wasm,
};
use lightningcss::{
    bundler::{Bundler, FileProvider},
    stylesheet::{MinifyOptions, ParserOptions, PrinterOptions},
    targets::{Browsers, Targets},
};
use sha2::{Digest, Sha256};
use std::{fs, io::Write, path::Path};

/// Builds everything into `target/site`, which the server embeds.
pub fn build() -> Done {
    let package = wasm::build()?;
    let site = target().join("site");
    fs::create_dir_all(&site).map_err(|error| error.to_string())?;

    let mut kept = Vec::new();
    let (boot_name, script_name, wasm_name) = part(&package, &site, "countersign", "boot", &mut kept)?;
    let (check_name, ..) = part(&package, &site, "check", "check", &mut kept)?;
    let passkey = fs::read(root().join("app/src/islands/passkey.js")).map_err(|error| error.to_string())?;
    let passkey_name = add(&site, "passkey", "js", &passkey, &mut kept)?;
    say("bundle styles");
    let style_name = add(&site, "main", "css", styles()?.as_bytes(), &mut kept)?;

    let manifest = format!(
        "boot={boot_name}\nscript={script_name}\nwasm={wasm_name}\nstyle={style_name}\ncheck={check_name}\npasskey={passkey_name}\n"
    );
    let path = site.join("manifest.txt");
    if fs::read_to_string(&path).ok().as_deref() != Some(manifest.as_str()) {
        fs::write(&path, manifest).map_err(|error| error.to_string())?;
    }
    kept.push("manifest.txt".into());
    for file in fs::read_dir(&site).map_err(|error| error.to_string())?.flatten() {
        if !kept.contains(&file.file_name().to_string_lossy().into_owned()) {
            fs::remove_file(file.path()).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// One wasm module with its script, and the script of ours that loads them: names of the three, ours first.
fn part(
    package: &Path,
    site: &Path,
    module: &str,
    loader: &str,
    kept: &mut Vec<String>,
) -> Done<(String, String, String)> {
    let wasm = fs::read(package.join(format!("{module}_bg.wasm"))).map_err(|error| error.to_string())?;
    let script = fs::read_to_string(package.join(format!("{module}.js"))).map_err(|error| error.to_string())?;
    let wasm_name = add(site, module, "wasm", &wasm, kept)?;
    let script_name = add(site, module, "js", script.as_bytes(), kept)?;
    let path = root().join("app/src/islands").join(format!("{loader}.js"));
    let ours = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let ours = ours.replace("SCRIPT_URL", &format!("./{script_name}")).replace("WASM_URL", &wasm_name);
    Ok((add(site, loader, "js", ours.as_bytes(), kept)?, script_name, wasm_name))
}

fn styles() -> Done<String> {
    let files = FileProvider::new();
    let entry = root().join("style/main.css");
    let mut bundler = Bundler::new(&files, None, ParserOptions::default());
    let mut sheet = bundler.bundle(&entry).map_err(|error| format!("style: {error}"))?;
    // Browsers that know light-dark(), oklch() and nesting: nothing is lowered, the tokens stay as written.
    let version = |major: u32| Some(major << 16);
    let browsers = Browsers {
        chrome: version(124),
        edge: version(124),
        firefox: version(121),
        safari: version(18),
        ..Browsers::default()
    };
    let targets = Targets::from(browsers);
    sheet.minify(MinifyOptions { targets, ..MinifyOptions::default() }).map_err(|error| format!("style: {error}"))?;
    let printer = PrinterOptions { minify: true, targets, ..PrinterOptions::default() };
    Ok(sheet.to_css(printer).map_err(|error| format!("style: {error}"))?.code)
}

/// Writes one asset under a name with its hash, with `.br` and `.gz` beside it; a file that is there is kept.
fn add(site: &Path, stem: &str, extension: &str, bytes: &[u8], kept: &mut Vec<String>) -> Done<String> {
    let hash: String = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("{stem}.{hash}.{extension}");
    for suffix in ["", ".br", ".gz"] {
        kept.push(format!("{name}{suffix}"));
    }
    if site.join(format!("{name}.gz")).exists() {
        return Ok(name);
    }
    let write = |suffix: &str, bytes: &[u8]| {
        fs::write(site.join(format!("{name}{suffix}")), bytes).map_err(|error| error.to_string())
    };
    write("", bytes)?;
    let mut small = Vec::new();
    {
        let mut brotli = brotli::CompressorWriter::new(&mut small, 4096, 9, 22);
        brotli.write_all(bytes).map_err(|error| error.to_string())?;
    }
    write(".br", &small)?;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(bytes).map_err(|error| error.to_string())?;
    write(".gz", &gzip.finish().map_err(|error| error.to_string())?)?;
    Ok(name)
}
