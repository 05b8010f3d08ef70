//! What a secret looks like where it should not be.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use palaver_tests::Answer;
use sha2::{Digest, Sha256};

/// Shorter ones would be found by chance.
const TRACE_BYTES_MIN: usize = 8;

/// Secrets that were sent or told, in every form that they could be written down in.
#[derive(Default)]
pub struct Traces {
    /// The secret, the form, and how that looks.
    known: Vec<(String, &'static str, Vec<u8>)>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn percent(text: &[u8], kept: fn(u8) -> bool) -> String {
    let one = |byte: &u8| if kept(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    text.iter().map(one).collect()
}

impl Traces {
    fn add(&mut self, secret: &str, form: &'static str, trace: impl Into<Vec<u8>>) {
        let trace = trace.into();
        assert!(trace.len() >= TRACE_BYTES_MIN, "{form} of {secret} is too short to be looked for");
        // Many forms of a plain text are the plain text.
        if !self.known.iter().any(|(_, _, known)| *known == trace) {
            self.known.push((secret.to_owned(), form, trace));
        }
    }

    fn add_bytes(&mut self, secret: &str, bytes: &[u8]) {
        self.add(secret, "hex", hex(bytes));
        self.add(secret, "hex in capitals", hex(bytes).to_uppercase());
        // Three ways by what stands before it; the characters that hold bits of its neighbours are left out.
        for before in 0..3 {
            let mut padded = vec![0; before];
            padded.extend(bytes);
            let first = [0, 2, 3][before];
            let last = padded.len() * 8 / 6;
            for (form, text) in
                [("base64", STANDARD_NO_PAD.encode(&padded)), ("URL-safe base64", URL_SAFE_NO_PAD.encode(&padded))]
            {
                self.add(secret, form, &text.as_bytes()[first..last]);
            }
        }
    }

    /// A secret that is text.
    pub fn secret(&mut self, text: &str) {
        self.add(text, "plain", text);
        self.add(text, "JSON", serde_json::to_string(text).unwrap().trim_matches('"'));
        self.add(text, "URL", percent(text.as_bytes(), |byte| byte.is_ascii_alphanumeric()));
        self.add(
            text,
            "form",
            percent(text.as_bytes(), |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
        );
        self.add_bytes(text, text.as_bytes());
    }

    /// A secret that people choose, so that a fast hash of it tells it as well.
    pub fn password(&mut self, text: &str) {
        self.secret(text);
        let hash = Sha256::digest(text.as_bytes());
        self.add(text, "SHA-256", hash.to_vec());
        self.add_bytes(text, &hash);
    }

    /// A secret that is bytes rather than text.
    pub fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.add(name, "bytes", bytes);
        self.add_bytes(name, bytes);
    }

    /// A code of six digits: too short to be looked for alone, so it is with what would stand around it.
    pub fn code(&mut self, code: &str) {
        for (form, around) in
            [("quoted", format!("\"{code}\"")), ("ticked", format!("`{code}`")), ("query", format!("code={code}"))]
        {
            self.add(code, form, around);
        }
    }

    pub fn search(&self) -> Search<'_> {
        let finder = AhoCorasick::new(self.known.iter().map(|(_, _, trace)| trace)).unwrap();
        Search { traces: self, finder, faults: BTreeSet::new() }
    }
}

/// A search for all traces, and what it has found.
pub struct Search<'a> {
    traces: &'a Traces,
    finder: AhoCorasick,
    pub faults: BTreeSet<String>,
}

impl Search<'_> {
    /// Looks at something that may tell these secrets and no others.
    pub fn look(&mut self, place: &str, at: &[u8], may_tell: &[String]) {
        for found in self.finder.find_overlapping_iter(at) {
            let (secret, form, _) = &self.traces.known[found.pattern()];
            if !may_tell.contains(secret) {
                self.faults.insert(format!("{secret} ({form}) is in {place}"));
            }
        }
    }
}

/// An answer that was received, and what it was meant to tell.
pub struct Heard {
    pub asked: String,
    pub answer: Answer,
    pub tells: Vec<String>,
}

impl Heard {
    pub fn text(&self) -> Vec<u8> {
        let mut text = format!("{} {}", self.answer.status, self.answer.body).into_bytes();
        for (name, value) in &self.answer.headers {
            text.extend([b"\n", name.as_str().as_bytes(), b": ", value.as_bytes()].concat());
        }
        text
    }
}

#[test]
fn every_form_of_a_secret_is_found() {
    let mut traces = Traces::default();
    let secret = "Käfer+Pass/word 7";
    traces.password(secret);
    let hash = Sha256::digest(secret.as_bytes());
    let mut written = vec![
        secret.as_bytes().to_vec(),
        hex(secret.as_bytes()).into_bytes(),
        hex(&hash).into_bytes(),
        hash.to_vec(),
        STANDARD_NO_PAD.encode(hash).into_bytes(),
        b"K%C3%A4fer%2BPass%2Fword%207".to_vec(),
    ];
    written
        .extend((0..4).map(|before| STANDARD_NO_PAD.encode(format!("{}{secret}!", "x".repeat(before))).into_bytes()));
    for (at, one) in written.iter().enumerate() {
        let mut search = traces.search();
        search.look("a test", &[b"...", one.as_slice(), b"..."].concat(), &[]);
        assert!(!search.faults.is_empty(), "{at}");
        let mut allowed = traces.search();
        allowed.look("a test", one, &[secret.to_owned()]);
        assert!(allowed.faults.is_empty(), "{at}");
    }
    let mut search = traces.search();
    search.look("a test", b"nothing of that kind", &[]);
    assert!(search.faults.is_empty());
}
