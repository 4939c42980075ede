//! How a document stands, in sixteen bytes: equal on both sides exactly when the accepted changes are.

use std::collections::BTreeSet;

use ruhu_survey::change::{ChangeHash, DocumentId};
use sha2::{Digest, Sha256};

/// Names a document with its heads: the first 16 bytes of SHA-256("ruhu/state/1" ‖ kind ‖ id ‖ heads ascending).
///
/// A change names what it stands on, so equal heads are equal changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentToken(pub [u8; 16]);

impl DocumentToken {
    /// The token of a document with these heads.
    #[must_use]
    pub fn of(document: DocumentId, heads: &BTreeSet<ChangeHash>) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"ruhu/state/1");
        hash.update([document.kind.code()]);
        hash.update(document.id);
        for head in heads {
            hash.update(head.0);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let mut token = [0; 16];
        token.copy_from_slice(digest.split_at(16).0);
        Self(token)
    }
}

/// The heads of a set of changes that is whole: those that none of the others stands on.
#[must_use]
pub fn heads<'a>(
    changes: impl IntoIterator<Item = (ChangeHash, &'a [ChangeHash])> + Clone,
) -> BTreeSet<ChangeHash> {
    let mut heads: BTreeSet<ChangeHash> = changes.clone().into_iter().map(|(hash, _)| hash).collect();
    for (_, dependencies) in changes {
        for dependency in dependencies {
            heads.remove(dependency);
        }
    }
    heads
}

#[cfg(test)]
mod tests {
    use ruhu_survey::id::{CheckId, HouseholdId};

    use super::*;

    const A: ChangeHash = ChangeHash([1; 32]);
    const B: ChangeHash = ChangeHash([2; 32]);
    const C: ChangeHash = ChangeHash([3; 32]);

    #[test]
    fn heads_are_what_nobody_stands_on() {
        let changes: Vec<(ChangeHash, Vec<ChangeHash>)> =
            vec![(A, vec![]), (B, vec![A]), (C, vec![A]), (ChangeHash([4; 32]), vec![C])];
        let changes: Vec<(ChangeHash, &[ChangeHash])> =
            changes.iter().map(|(hash, on)| (*hash, on.as_slice())).collect();
        assert_eq!(heads(changes.iter().copied()), [B, ChangeHash([4; 32])].into());
    }

    #[test]
    fn a_token_is_of_one_document_and_one_set_of_heads() {
        let household = DocumentId::from(HouseholdId::from_bytes([7; 16]));
        let check = DocumentId::from(CheckId::from_bytes([7; 16]));
        let token =
            |document, heads: &[ChangeHash]| DocumentToken::of(document, &heads.iter().copied().collect());
        assert_eq!(token(household, &[A, B]), token(household, &[B, A]));
        assert_ne!(token(household, &[A, B]), token(household, &[A]));
        assert_ne!(token(household, &[A]), token(check, &[A]));
    }
}
