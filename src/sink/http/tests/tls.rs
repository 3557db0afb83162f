//! Encrypted connections, certificates and tokens.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;

/// A receiver with a certificate for `name`, which is written to `file`.
fn receiver(name: &str, file: &Path) -> Receiver {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
    fs::write(file, cert.pem()).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = builder.with_single_cert(vec![cert.der().clone()], key).unwrap();
    Receiver::at("127.0.0.1:0".parse().unwrap(), Some(Arc::new(config)), |_| Reply::ok())
}

#[test]
fn a_certificate_that_is_trusted_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let receiver = receiver("localhost", &file);
    let url = format!("https://localhost:{}", receiver.address().port());
    let sink = start(&url, &format!("ca_file = '{}'", file.display()), None);
    put_all(&sink, &[&["one"]]);
    acknowledged(&sink, 1);
    assert_eq!(receiver.messages(), ["one"]);
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let (theirs, other) = (folder.path().join("theirs.pem"), folder.path().join("other.pem"));
    let receiver = receiver("localhost", &theirs);
    fs::write(&other, generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem()).unwrap();
    let url = format!("https://localhost:{}", receiver.address().port());
    let sink = start(&url, &format!("ca_file = '{}'", other.display()), None);
    put_all(&sink, &[&["one"]]);
    until("it is in trouble", || sink.trouble().is_some());
    assert!(sink.trouble().unwrap().contains("certificate"), "{:?}", sink.trouble());
    assert!(receiver.messages().is_empty());
}

#[test]
fn files_that_are_not_what_they_should_be_are_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "nothing").unwrap();
    let no_certificate = plan("https://localhost", &format!("ca_file = '{}'", file.display()));
    let error = HttpSink::start(&no_certificate, "s", None, || {}).err().unwrap().to_string();
    assert!(error.ends_with("file: there is no certificate in it"), "{error}");
    let token = |content: &str| {
        fs::write(&file, content).unwrap();
        let plan = plan("http://localhost", &format!("token_file = '{}'", file.display()));
        HttpSink::start(&plan, "s", None, || {}).err().unwrap().to_string()
    };
    assert!(token(" \n").ends_with("file: there is no token in it"));
    assert!(token("a\nb").ends_with("file: a token is one line of printable characters"));
    assert!(token(&"x".repeat(20_000)).ends_with("file: too large for a token"));
    fs::remove_file(&file).unwrap();
    let plan = plan("http://localhost", &format!("token_file = '{}'", file.display()));
    let error = HttpSink::start(&plan, "s", None, || {}).err().unwrap().to_string();
    assert!(error.contains("file: ") && error.contains("o such file"), "{error}");
}

#[test]
fn a_token_is_sent_and_renewed_when_it_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "old\n").unwrap();
    let receiver = Receiver::start(|request| match request.header("authorization") {
        Some("Bearer new") => Reply::ok(),
        Some("Bearer old") => Reply::status(401),
        other => panic!("{other:?}"),
    });
    let sink = start(&receiver.url(), &format!("token_file = '{}'", file.display()), None);
    put_all(&sink, &[&["one"]]);
    until("it is in trouble", || sink.trouble().is_some());
    assert!(sink.trouble().unwrap().contains("401 Unauthorized") && !sink.trouble().unwrap().contains("old"));
    fs::write(&file, "new\n").unwrap();
    acknowledged(&sink, 1);
    assert_eq!((receiver.messages(), sink.trouble()), (vec!["one".to_owned()], None));
}
