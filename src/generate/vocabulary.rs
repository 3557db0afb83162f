//! Names and messages. The first of a list are the most frequent.
//!
//! No name here is a level word that stands alone, but some contain one: those who look for levels must not be fooled.

/// Customers; some do not fit ASCII.
pub(super) const USERS: [&str; 40] = [
    "mara",
    "tom",
    "yusuf",
    "anna",
    "chen",
    "olga",
    "pedro",
    "zoë",
    "lin",
    "ravi",
    "jürgen",
    "kofi",
    "aiko",
    "sam",
    "nina",
    "omar",
    "søren",
    "eva",
    "li",
    "hugo",
    "ines",
    "jan",
    "małgorzata",
    "leo",
    "noor",
    "max",
    "ida",
    "paul",
    "rosa",
    "finn",
    "李雷",
    "tara",
    "igor",
    "наталья",
    "lucía",
    "amir",
    "brit",
    "carl",
    "dora",
    "さくら",
];

/// What is sold.
pub(super) const TEAS: [&str; 16] = [
    "assam",
    "sencha",
    "rooibos",
    "earl-grey",
    "chai-loose",
    "oolong",
    "darjeeling",
    "matcha",
    "white-peony",
    "mint",
    "lapsang",
    "genmaicha",
    "puerh",
    "hibiscus",
    "yerba-mate",
    "informal-blend",
];

/// Pages of the shop, in front of what is looked at.
pub(super) const PAGES: [&str; 12] = [
    "/",
    "/tea/",
    "/static/app.js?v=",
    "/basket/add/",
    "/search?q=",
    "/img/",
    "/api/v2/orders/",
    "/login?next=",
    "/static/style.css?v=",
    "/api/v2/stock/",
    "/help/errors/",
    "/blog/terrorless-brewing-",
];

/// Programs that visit.
pub(super) const AGENTS: [&str; 10] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.11.0",
    "python-requests/2.32.3",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "-",
];

/// Where visitors come from.
pub(super) const REFERRERS: [&str; 6] = [
    "-",
    "https://teahouse.example/",
    "https://teahouse.example/tea/assam",
    "https://search.example/?q=loose+tea",
    "https://news.example/item?id=40213377",
    "https://teahouse.example/basket",
];

/// Programs of the shop, with their loggers.
pub(super) const SERVICES: [(&str, &str); 8] = [
    ("web", "s.teahouse.web.Session"),
    ("orders", "s.teahouse.order.OrderFlow"),
    ("stock", "s.teahouse.stock.Shelf"),
    ("payment", "s.teahouse.payment.Cashier"),
    ("mail", "s.teahouse.mail.Courier"),
    ("search", "s.teahouse.search.Index"),
    ("images", "s.teahouse.image.Resizer"),
    ("alerting", "s.teahouse.ops.AlertRouter"),
];

/// Machines.
pub(super) const HOSTS: [&str; 6] = ["web-1", "web-2", "app-1", "app-2", "db-1", "edge-warnemuende"];

/// What is said, by how grave it is, in the order of `Severity::ALL`.
pub(super) const MESSAGES: [&[&str]; 5] = [
    &[
        "session of {user} kept for {few} min",
        "0 errors in form, basket {order} kept for {few} min",
        "cache hit for {tea}, age {number} ms",
        "query took {ms} ms, {number} rows",
    ],
    &[
        "order {order} accepted, {few} items, {price} EUR",
        "GET /tea/{tea} for {user} from {address} took {ms} ms",
        "reserved {few} x {tea} for {order}",
        "login of {user} from {address}",
        "receipt for {order} sent to {user}@teahouse.example",
        "health check passed, no error since {number} s",
        "index rebuilt: {number} documents, {few} warnings ignored",
        "parity error corrected on link {few}",
        "shipment {order} handed over, weight {number} g, carrier {few}",
    ],
    &[
        "slow answer from pay.provider.example: {ms} ms, attempt {few} of 9",
        "{tea} running low: {few} left",
        "retrying after error {number}: connection reset by {address}",
        "login of {user} failed {few} times from {address}",
    ],
    &[
        "order {order}: payment not confirmed after {ms} ms",
        "cannot write receipt for {order}: no space left on device",
        "request of {user} from {address} failed after {ms} ms",
        "stock of {tea} is negative: warning was ignored {few} times",
    ],
    &["out of memory, {number} pages free, shutting down", "database is gone after {few} attempts, giving up"],
];

/// What a stack trace begins with. A class name is one word, and so none of these has a level.
pub(super) const EXCEPTIONS: [&str; 5] = [
    "s.teahouse.payment.ProviderTimeoutException: no answer from pay.provider.example within 3000 ms",
    "java.lang.IllegalStateException: basket is closed",
    "java.io.IOException: No space left on device",
    "java.lang.OutOfMemoryError: Java heap space",
    "java.net.SocketTimeoutException: Read timed out",
];

/// Where a stack trace has been.
pub(super) const FRAMES: [&str; 12] = [
    "s.teahouse.payment.ProviderClient.confirm(ProviderClient.java:",
    "s.teahouse.payment.Cashier.settle(Cashier.java:",
    "s.teahouse.order.OrderFlow.advance(OrderFlow.java:",
    "s.teahouse.web.Dispatcher.dispatch(Dispatcher.java:",
    "s.teahouse.web.ErrorFilter.doFilter(ErrorFilter.java:",
    "java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:",
    "java.base/java.util.concurrent.FutureTask.run(FutureTask.java:",
    "java.base/java.lang.Thread.run(Thread.java:",
    "org.springframework.aop.framework.ReflectiveMethodInvocation.proceed(ReflectiveMethodInvocation.java:",
    "io.netty.channel.AbstractChannelHandlerContext.invokeChannelRead(AbstractChannelHandlerContext.java:",
    "s.teahouse.net.PlainChannel.read(PlainChannel.java:",
    "jdk.internal.reflect.GeneratedMethodAccessor31.invoke(Unknown Source:",
];
