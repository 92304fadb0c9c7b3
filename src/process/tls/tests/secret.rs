use clusters::sources::watch::{Reading, Sink};
use federation::change::{Change, Delta, Object};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::super::secret::{TlsSecret, TlsSecrets, ToKeeper, object};
use super::*;

fn secret(data: &[(&str, &str)]) -> TlsSecret {
    let mut secret = Secret::default();
    secret.metadata.name = Some("eu".to_owned());
    secret.data =
        Some(data.iter().map(|(key, text)| ((*key).to_owned(), ByteString(text.as_bytes().to_vec()))).collect());
    TlsSecrets::read(&secret).unwrap().object.unwrap()
}

fn complete(pair: &Pair) -> TlsSecret {
    secret(&[("tls.crt", &pair.cert), ("tls.key", &pair.key)])
}

#[tokio::test]
async fn a_secret_may_come_change_break_and_go() {
    install();
    let book = ProblemBook::default();
    let (keeper, source) = Keeper::new(object("isthmus-system", "eu"), book.clone());
    let status = keeper.status();
    let mut sink = ToKeeper(keeper);

    sink.take(Delta::full(Vec::new())).await.unwrap();
    assert!(source.newest().is_none());
    let reported = problems(&book);
    assert!(
        reported[0].starts_with("TLS Secret isthmus-system/eu: metadata.name: found nothing; expected"),
        "{reported:?}"
    );

    let (authority, clients) = (Authority::new(), Authority::new());
    sink.take(Delta::Partial(vec![Change::Put(complete(&authority.sign()))])).await.unwrap();
    assert_eq!(welcomes(source.newest().unwrap(), &authority, None), Ok(()));
    assert_eq!(problems(&book), [] as [&str; 0]);

    let pair = authority.sign();
    let mutual = secret(&[("tls.crt", &pair.cert), ("tls.key", &pair.key), ("ca.crt", &clients.pem())]);
    // Only the newest of several matters.
    sink.take(Delta::Partial(vec![Change::Put(complete(&clients.sign())), Change::Put(mutual)])).await.unwrap();
    assert!(welcomes(source.newest().unwrap(), &authority, None).is_err(), "ca.crt asks for proof");
    assert_eq!(welcomes(source.newest().unwrap(), &authority, Some(&clients.sign())), Ok(()));
    assert_eq!(status.taken.get(), 2);

    let before = source.newest().unwrap();
    let halves: [&[(&str, &str)]; 4] = [
        &[],
        &[("tls.crt", &pair.cert)],
        &[("tls.crt", "x"), ("tls.key", &pair.key), ("ca.crt", &clients.pem())],
        // Enough to serve all clients, which was not so before.
        &[("tls.crt", &pair.cert), ("tls.key", &pair.key)],
    ];
    for (nth, half) in (1..).zip(halves) {
        sink.take(Delta::full(vec![secret(half)])).await.unwrap();
        assert_eq!((problems(&book).len(), status.rejected.get()), (1, 1 + nth));
    }
    let key = secret(&[]).key().clone();
    sink.take(Delta::Partial(vec![Change::Delete(key)])).await.unwrap();
    assert!(problems(&book)[0].contains("found nothing"));
    assert!(Arc::ptr_eq(&before, &source.newest().unwrap()), "whatever comes, what is in use stays in use");
}
