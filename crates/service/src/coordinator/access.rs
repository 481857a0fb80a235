//! Who may do what: bearer tokens with roles.
//!
//! The file holds the SHA-256 of each token, never the token, and is read again when it changes. A file that cannot be
//! read, or has a mistake, lets nobody in:
//!
//! ```toml
//! [[tokens]]
//! name = "nightly"
//! role = "submit"       # read | submit | admin
//! sha256 = "9f86d081…"  # printf %s "$TOKEN" | sha256sum
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use segmenta_engine::{EngineError, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tonic::Status;
use tonic::metadata::MetadataMap;

/// How often the file is checked for changes.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What a caller may do. Each role may also do what the roles before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See jobs.
    Read,
    /// Submit jobs, and cancel and resume one's own.
    Submit,
    /// Cancel and resume anybody's.
    Admin,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Name of the token; empty where none is asked for.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

impl Caller {
    /// Whose jobs they may cancel and resume; `None` for anybody's.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        (self.role < Role::Admin).then_some(self.name.as_str())
    }

    /// Refuses a caller of a lesser role.
    ///
    /// # Errors
    /// `PERMISSION_DENIED`.
    pub fn require(&self, role: Role) -> Result<(), Status> {
        if self.role >= role {
            return Ok(());
        }
        Err(Status::permission_denied(format!("the token `{}` lacks the role that this needs ({role:?})", self.name)))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    tokens: Vec<Token>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    name: String,
    role: Role,
    sha256: String,
}

#[derive(Debug)]
struct Known {
    name: String,
    role: Role,
    sha256: [u8; 32],
}

/// The tokens that are known.
#[derive(Debug)]
pub struct Tokens {
    file: Option<PathBuf>,
    loaded: Mutex<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    known: Vec<Known>,
    /// The SHA-256 of the file; `None` if it cannot be read.
    content: Option<[u8; 32]>,
    looked: Instant,
}

impl Tokens {
    /// The tokens of a file. Without a file, everybody may do everything.
    ///
    /// # Errors
    /// A file that cannot be read, or holds something else.
    pub fn open(file: Option<&Path>) -> Result<Self> {
        let (known, content) = match file {
            Some(file) => {
                let text = text_of(file)?;
                (read(file, &text)?, Some(Sha256::digest(&text).into()))
            }
            None => (vec![], None),
        };
        let loaded = Loaded { known, content, looked: Instant::now() };
        Ok(Self { file: file.map(Path::to_owned), loaded: Mutex::new(loaded) })
    }

    /// Whether callers have to show a token.
    #[must_use]
    pub fn are_asked_for(&self) -> bool {
        self.file.is_some()
    }

    /// Who calls.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` without a token that is known.
    pub fn caller(&self, metadata: &MetadataMap) -> Result<Caller, Status> {
        let Some(file) = &self.file else { return Ok(Caller { name: String::new(), role: Role::Admin }) };
        let refused = || {
            Status::unauthenticated(
                "a bearer token that this coordinator knows is needed (--token-file, SEGMENTA_TOKEN)",
            )
        };
        let shown = metadata.get("authorization").and_then(|value| value.to_str().ok()).ok_or_else(refused)?;
        let (scheme, token) = shown.split_once(' ').ok_or_else(refused)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(refused());
        }
        let digest = Sha256::digest(token.trim().as_bytes());
        let mut loaded = self.loaded.lock();
        loaded.look_again(file);
        // All tokens are compared, each in constant time, so that the time it takes tells nothing about them.
        let mut found = None;
        for known in &loaded.known {
            if bool::from(known.sha256[..].ct_eq(&digest[..])) {
                found = Some(Caller { name: known.name.clone(), role: known.role });
            }
        }
        found.ok_or_else(refused)
    }
}

impl Loaded {
    fn look_again(&mut self, file: &Path) {
        if self.looked.elapsed() < LOOK_AGAIN {
            return;
        }
        self.looked = Instant::now();
        let text = text_of(file);
        let content = text.as_ref().ok().map(|text| Sha256::digest(text).into());
        if content == self.content {
            return;
        }
        self.content = content;
        // A file that cannot be read may revoke a token, so nobody is let in until it can be read.
        self.known = match text.and_then(|text| read(file, &text)) {
            Ok(known) => {
                tracing::info!(file = %file.display(), tokens = known.len(), "the tokens were read again");
                known
            }
            Err(error) => {
                tracing::error!(%error, "the tokens cannot be read again; nobody is let in until they can");
                vec![]
            }
        };
    }
}

fn text_of(file: &Path) -> Result<String> {
    fs::read_to_string(file)
        .map_err(|error| EngineError::spec(format!("{}: the tokens cannot be read: {error}", file.display())))
}

fn read(file: &Path, text: &str) -> Result<Vec<Known>> {
    let wrong = |why: String| EngineError::spec(format!("{}: {why}", file.display()));
    let parsed: File = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let known = parsed.tokens.into_iter().map(|token| {
        let sha256 = from_hex(&token.sha256)
            .ok_or_else(|| wrong(format!("sha256 of the token `{}` has not 64 hexadecimal digits", token.name)))?;
        if token.name.is_empty() {
            return Err(wrong("a token has no name".to_owned()));
        }
        Ok(Known { name: token.name, role: token.role, sha256 })
    });
    let known: Vec<Known> = known.collect::<Result<_>>()?;
    if known.is_empty() {
        return Err(wrong("has no tokens, so that nobody could call".to_owned()));
    }
    Ok(known)
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert("authorization", value.parse().unwrap());
        metadata
    }

    fn line(name: &str, role: &str, token: &str) -> String {
        let sha256: String = Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("[[tokens]]\nname = \"{name}\"\nrole = \"{role}\"\nsha256 = \"{sha256}\"\n")
    }

    #[test]
    fn only_known_tokens_and_only_what_their_role_allows() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens.toml");
        fs::write(&file, line("eyes", "read", "one") + &line("hands", "submit", "two")).unwrap();
        let tokens = Tokens::open(Some(&file)).unwrap();
        let eyes = tokens.caller(&shown("Bearer one")).unwrap();
        assert_eq!((eyes.name.as_str(), eyes.role), ("eyes", Role::Read));
        assert!(eyes.require(Role::Read).is_ok() && eyes.require(Role::Submit).is_err());
        let hands = tokens.caller(&shown("bearer two")).unwrap();
        assert_eq!(hands.owner(), Some("hands"));
        for wrong in ["Bearer three", "Bearer ", "Basic one", "one", "Bearer one two"] {
            assert!(tokens.caller(&shown(wrong)).is_err(), "{wrong}");
        }
        assert!(tokens.caller(&MetadataMap::new()).is_err());
    }

    #[test]
    fn a_file_that_changed_is_read_again_and_a_broken_one_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens.toml");
        fs::write(&file, line("a", "admin", "one")).unwrap();
        let tokens = Tokens::open(Some(&file)).unwrap();
        let modified = fs::metadata(&file).unwrap().modified().unwrap();
        let look = || tokens.loaded.lock().looked -= LOOK_AGAIN;
        let change = |text: &str| {
            fs::write(&file, text).unwrap();
            // Within one tick of the clock of the file system.
            fs::File::options().write(true).open(&file).unwrap().set_modified(modified).unwrap();
            look();
        };
        change(&line("a", "admin", "two"));
        assert!(tokens.caller(&shown("Bearer one")).is_err() && tokens.caller(&shown("Bearer two")).is_ok());
        for broken in ["tokens = 5", ""] {
            change(broken);
            assert!(tokens.caller(&shown("Bearer two")).is_err(), "{broken}");
            change(&line("a", "admin", "two"));
            assert!(tokens.caller(&shown("Bearer two")).is_ok());
        }
        fs::remove_file(&file).unwrap();
        look();
        assert!(tokens.caller(&shown("Bearer two")).is_err());
    }

    #[test]
    fn a_file_of_no_use_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens.toml");
        for (text, expected) in [
            ("", "no tokens"),
            ("[[tokens]]\nname = \"a\"\nrole = \"god\"\nsha256 = \"\"\n", "role"),
            ("[[tokens]]\nname = \"a\"\nrole = \"read\"\nsha256 = \"12\"\n", "64 hexadecimal digits"),
            ("[[tokens]]\nname = \"a\"\nrole = \"read\"\ntoken = \"x\"\n", "unknown field"),
        ] {
            fs::write(&file, text).unwrap();
            let error = Tokens::open(Some(&file)).unwrap_err();
            assert!(error.message.contains(expected) && error.message.contains("tokens.toml"), "{error}");
        }
    }
}
