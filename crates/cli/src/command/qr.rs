//! QR codes as pictures: in the terminal, PNG, SVG.

use std::path::{Path, PathBuf};

use qrcode::render::{svg, unicode::Dense1x2};
use qrcode::{Color, EcLevel, QrCode};

use crate::failure::Failure;

/// Pixels a module, and modules of white around the code, as the standard asks for.
const SCALE: usize = 4;
const QUIET: usize = 4;

/// The code of a text, at the lowest level of correction: it is shown on a screen.
pub(super) fn code(text: &str) -> Result<QrCode, Failure> {
    QrCode::with_error_correction_level(text, EcLevel::L).map_err(|error| Failure::Picture(error.to_string()))
}

/// Half blocks, for a terminal with light letters on dark; cameras read the reverse too.
pub(super) fn terminal(code: &QrCode) -> String {
    code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build()
}

/// The names of so many pictures: the one asked for, or one with a number for each.
pub(super) fn names(path: &Path, count: usize) -> Vec<PathBuf> {
    if count == 1 {
        return vec![path.to_owned()];
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    (1..=count).map(|place| path.with_file_name(format!("{stem}-{place}.{extension}"))).collect()
}

/// A picture in the format that the file's name asks for.
pub(super) fn picture(path: &Path, code: &QrCode) -> Result<Vec<u8>, Failure> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match extension.as_str() {
        "svg" => Ok(code.render::<svg::Color<'_>>().build().into_bytes()),
        "png" => png(code).map_err(|error| Failure::Picture(error.to_string())),
        _ => Err(Failure::Unknown(path.display().to_string())),
    }
}

fn png(code: &QrCode) -> Result<Vec<u8>, png::EncodingError> {
    let side = (code.width() + 2 * QUIET) * SCALE;
    let modules = code.to_colors();
    let shade = |at: usize| {
        let (x, y) = (at % side / SCALE, at / side / SCALE);
        let inside = |place: usize| place.checked_sub(QUIET).filter(|place| *place < code.width());
        let dark = inside(x).zip(inside(y)).and_then(|(x, y)| modules.get(y * code.width() + x));
        if dark == Some(&Color::Dark) { 0 } else { 255 }
    };
    let pixels: Vec<u8> = (0..side * side).map(shade).collect();
    let mut picture = Vec::new();
    let length = u32::try_from(side).unwrap_or(u32::MAX);
    let mut encoder = png::Encoder::new(&mut picture, length, length);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a camera reads of a PNG.
    fn read(picture: &[u8]) -> Vec<String> {
        let decoder = png::Decoder::new(std::io::Cursor::new(picture));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        let width = frame.width as usize;
        let mut image =
            rqrr::PreparedImage::prepare_from_greyscale(width, width, |x, y| pixels[y * width + x]);
        image.detect_grids().iter().map(|grid| grid.decode().unwrap().1).collect()
    }

    #[test]
    fn a_code_of_the_largest_size_reads_back_from_its_picture() {
        let bundle: Vec<u8> = (0..ruhu_sync::bundle::code::PIECE_BYTES_MAX)
            .map(|at| u8::try_from(at * 31 % 256).unwrap())
            .collect();
        let texts = ruhu_sync::bundle::code::split(&bundle).unwrap();
        assert_eq!(texts.len(), 1);
        let code = code(&texts[0]).unwrap();
        assert_eq!(code.version(), qrcode::Version::Normal(40));
        let picture = picture(Path::new("visits.png"), &code).unwrap();
        let read = read(&picture);
        let back = ruhu_sync::bundle::code::join(read.iter().map(String::as_str)).unwrap();
        assert_eq!(back, bundle);
    }

    #[test]
    fn pictures_are_numbered_when_there_are_several_and_only_known_formats_are_drawn() {
        assert_eq!(names(Path::new("out/a.png"), 1), [PathBuf::from("out/a.png")]);
        assert_eq!(names(Path::new("out/a.png"), 2), ["out/a-1.png", "out/a-2.png"].map(PathBuf::from));
        let code = code("RUHU").unwrap();
        assert!(picture(Path::new("a.svg"), &code).unwrap().starts_with(b"<?xml"));
        assert!(matches!(picture(Path::new("a.jpg"), &code), Err(Failure::Unknown(_))));
    }
}
