//! How an operator names a stream, on the command line and in the paths of operators.

use palaver_eventstore::StreamId;

/// The stream of an aggregate whose type is written as people write it.
pub(crate) fn stream(aggregate_type: &str, aggregate_id: &str) -> StreamId {
    StreamId::new(stream_type(aggregate_type), aggregate_id)
}

/// As streams are named: `postGroup`, `PostGroup` and `post-group` mean `post_group`.
pub(super) fn stream_type(given: &str) -> String {
    let mut name = String::with_capacity(given.len() + 2);
    for character in given.chars() {
        if character.is_ascii_uppercase() && !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
        name.push(if character == '-' { '_' } else { character.to_ascii_lowercase() });
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_may_be_written_as_people_write_it() {
        for given in ["postGroup", "PostGroup", "post_group", "post-group", "Post_Group"] {
            assert_eq!(stream_type(given), "post_group", "{given}");
        }
        assert_eq!(stream_type("post"), "post");
    }
}
