use serde::Serialize;

/// Serialises to the canonical form used wherever bytes are hashed: keys sorted, no white space.
///
/// Follows the OLPC canonical JSON rules that the OCI image specification refers to, for the values that occur
/// here (strings, integers, lists, maps). It takes values whose serialisation cannot fail: string keys and no
/// floating point numbers.
pub fn canonical_json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let sorted = serde_json::to_value(value).expect("the value has string keys only");
    serde_json::to_vec(&sorted).expect("a JSON value serialises")
}
