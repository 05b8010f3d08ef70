//! `palaver explain <code>`: the page of an error code.

use std::io::Write;

use super::RunError;
use crate::{cli::ExplainArgs, http::ErrorCode};

#[derive(Debug, thiserror::Error)]
#[error("there is no error code `{asked}`; known are:\n{}", known())]
pub struct UnknownCode {
    asked: String,
}

fn known() -> String {
    ErrorCode::ALL
        .iter()
        .map(|code| format!("  {}  {}", code.status().as_u16(), code.as_str()))
        .collect::<Vec<_>>()
        .join("\n")
}

pub(super) fn run(args: &ExplainArgs, out: &mut impl Write) -> Result<(), RunError> {
    let code = ErrorCode::named(&args.code).ok_or_else(|| UnknownCode { asked: args.code.clone() })?;
    out.write_all(code.page().as_bytes())?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_explained_in_any_case_and_an_unknown_one_lists_the_others() {
        let mut out = Vec::new();
        run(&ExplainArgs { code: "conflicterror".to_owned() }, &mut out).unwrap();
        assert!(String::from_utf8(out).unwrap().starts_with("# ConflictError\n"));

        let mut out = Vec::new();
        let error = run(&ExplainArgs { code: "Nope".to_owned() }, &mut out).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(out.is_empty());
        let text = error.to_string();
        assert!(ErrorCode::ALL.iter().all(|code| text.contains(code.as_str())), "{text}");
    }
}
