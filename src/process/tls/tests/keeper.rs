use super::*;

fn keeper() -> (Keeper, TlsSource, ProblemBook) {
    install();
    let book = ProblemBook::default();
    let object = ObjectName { kind: "TLS file".to_owned(), namespace: None, name: "tls.crt".to_owned() };
    let (keeper, source) = Keeper::new(object, book.clone());
    (keeper, source, book)
}

#[test]
fn a_new_one_replaces_the_old_one() {
    let (mut keeper, source, book) = keeper();
    let status = keeper.status();
    assert!(source.newest().is_none() && status.not_after_s().is_none());
    let (old, new) = (Authority::new(), Authority::new());
    let first = old.sign().material();
    keeper.offer(Ok(first.clone())).unwrap();
    let before = source.newest().unwrap();
    keeper.offer(Ok(first)).unwrap();
    assert!(Arc::ptr_eq(&before, &source.newest().unwrap()), "the same again is not news");
    assert_eq!(status.taken.get(), 1);

    keeper.offer(Ok(new.sign().material())).unwrap();
    let after = source.newest().unwrap();
    assert_eq!(welcomes(Arc::clone(&after), &new, None), Ok(()));
    assert!(welcomes(after, &old, None).is_err());
    assert_eq!((status.taken.get(), status.rejected.get()), (2, 0));
    assert_eq!(problems(&book), [] as [&str; 0]);
}

#[test]
fn a_broken_one_changes_nothing_and_is_reported_once() {
    let (mut keeper, source, book) = keeper();
    let status = keeper.status();
    let authority = Authority::new();
    let good = authority.sign();
    keeper.offer(Ok(good.material())).unwrap();
    let before = source.newest().unwrap();

    let broken = Material { key: SecretBytes::new(authority.sign().key.as_bytes()), ..good.material() };
    for _ in 0..3 {
        keeper.offer(Ok(broken.clone())).unwrap_err();
    }
    assert!(Arc::ptr_eq(&before, &source.newest().unwrap()));
    assert_eq!((status.taken.get(), status.rejected.get()), (1, 1));
    let reported = problems(&book);
    assert!(
        reported.len() == 1 && reported[0].starts_with("TLS file tls.crt: tls.key: found a key that"),
        "{reported:?}"
    );

    let gone = Unusable { field: "tls.crt", found: "nothing".to_owned(), expected: "something" };
    keeper.offer(Err(gone)).unwrap_err();
    assert!(Arc::ptr_eq(&before, &source.newest().unwrap()));
    assert_eq!(status.rejected.get(), 2);

    keeper.offer(Ok(good.material())).unwrap();
    assert_eq!(problems(&book), [] as [&str; 0], "back to what it was: nothing is wrong any more");
    assert_eq!(status.taken.get(), 1);
}
