use super::*;

#[test]
fn messages_are_found_however_the_data_is_split() {
    let data = [&[0, 0, 0, 0, 3][..], b"abc", &[0, 0, 0, 0, 0], &[0, 0, 0, 0, 1], b"d"].concat();
    for size in 1..=data.len() {
        let (mut messages, mut found) = (Messages::default(), Vec::new());
        for part in data.chunks(size) {
            messages.push(part);
            while let Some(message) = messages.next().expect("messages") {
                found.push(message);
            }
        }
        assert_eq!(found, [&b"abc"[..], b"", b"d"], "in parts of {size}");
    }
}

#[test]
fn the_length_is_known_before_the_message_is_whole() {
    let mut messages = Messages::default();
    messages.push(&[0, 0, 0, 1]);
    assert!(matches!(messages.length(), Ok(None)));
    messages.push(&[0, 7]);
    assert!(matches!(messages.length(), Ok(Some(256))));
    let mut compressed = Messages::default();
    compressed.push(&[1, 0, 0, 0, 0]);
    assert!(matches!(compressed.next(), Err(Broken::Compressed)));
}
