//! Text that comes from outside and has to be kept whatever it is, such as what a network says about a failure.

use crate::REPORT_CHARS_MAX;

/// The text as the log and the read models can hold it: cut at [`REPORT_CHARS_MAX`], NUL replaced.
/// For reports only: what a person writes is refused by validation and never altered.
pub(crate) fn report(text: String) -> String {
    match text.char_indices().nth(REPORT_CHARS_MAX) {
        Some((end, _)) => text[..end].replace('\0', "\u{fffd}"),
        None => text.replace('\0', "\u{fffd}"),
    }
}
