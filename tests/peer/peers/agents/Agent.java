// An agent on JSSE; common.py tells what an agent does.

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.StringJoiner;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

public class Agent {
    static final int PATIENCE = 10000;
    static final char[] NONE = new char[0];

    // A value of the order, which is an object of strings and numbers.
    static String get(String order, String key) {
        Matcher m = Pattern.compile(
            "\"" + key + "\": (?:\"([^\"]*)\"|([0-9a-z]+))").matcher(order);
        if (!m.find())
            return "";
        return m.group(1) != null ? m.group(1) : m.group(2);
    }

    static int number(String order, String key) {
        return Integer.parseInt(get(order, key));
    }

    static Certificate[] chain(String path) throws Exception {
        try (InputStream in = Files.newInputStream(Path.of(path))) {
            return CertificateFactory.getInstance("X.509")
                .generateCertificates(in).toArray(new Certificate[0]);
        }
    }

    static PrivateKey key(String path, String kind) throws Exception {
        String pem = Files.readString(Path.of(path))
            .replaceAll("-----[A-Z ]+-----", "");
        byte[] der = Base64.getMimeDecoder().decode(pem);
        String name = kind.equals("rsapss") ? "RSASSA-PSS"
            : kind.startsWith("rsa") ? "RSA"
            : kind.startsWith("ed") ? "EdDSA" : "EC";
        return KeyFactory.getInstance(name)
            .generatePrivate(new PKCS8EncodedKeySpec(der));
    }

    static SSLContext context(String order) throws Exception {
        KeyStore trust = KeyStore.getInstance("PKCS12");
        trust.load(null, null);
        trust.setCertificateEntry("root", chain(get(order, "ca"))[0]);
        TrustManagerFactory trusted = TrustManagerFactory.getInstance("PKIX");
        trusted.init(trust);
        KeyStore own = KeyStore.getInstance("PKCS12");
        own.load(null, null);
        if (!get(order, "cert").isEmpty())
            own.setKeyEntry("own", key(get(order, "key"), get(order, "kind")),
                NONE, chain(get(order, "cert")));
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(own, NONE);
        SSLContext made = SSLContext.getInstance("TLS");
        made.init(keys.getKeyManagers(), trusted.getTrustManagers(), null);
        return made;
    }

    static SSLSocket wrap(SSLContext context, Socket raw, String order)
            throws Exception {
        boolean client = get(order, "do").equals("connect");
        raw.setSoTimeout(PATIENCE);
        SSLSocket made = (SSLSocket) context.getSocketFactory().createSocket(
            raw, get(order, "host"), number(order, "port"), true);
        made.setUseClientMode(client);
        SSLParameters p = made.getSSLParameters();
        p.setProtocols(new String[] {"TLSv" + get(order, "version")});
        p.setCipherSuites(new String[] {get(order, "standard")});
        if (client)
            p.setEndpointIdentificationAlgorithm("HTTPS");
        else
            p.setNeedClientAuth(get(order, "client_auth").equals("true"));
        made.setSSLParameters(p);
        return made;
    }

    static byte[] read(SSLSocket conn, int size) throws Exception {
        byte[] got = conn.getInputStream().readNBytes(size);
        if (got.length < size)
            throw new EOFException("closed after " + got.length);
        return got;
    }

    static String facts(SSLSocket conn, long before, boolean closed) {
        SSLSession s = conn.getSession();
        String shown = "null";
        try {
            Certificate leaf = s.getPeerCertificates()[0];
            shown = "\"" + HexFormat.of().formatHex(leaf.getEncoded()) + "\"";
        } catch (SSLPeerUnverifiedException e) {
            shown = "null"; // the client showed none
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
        return "{\"version\": \"" + s.getProtocol() + "\", \"suite\": \""
            + s.getCipherSuite() + "\", \"reused\": "
            + (s.getCreationTime() < before) + ", \"shown\": " + shown
            + ", \"closed\": " + closed + ", \"echo\": true}";
    }

    // A session made before this moment has been resumed.
    static long moment() throws Exception {
        Thread.sleep(2);
        return System.currentTimeMillis();
    }

    static String serve(String order) throws Exception {
        SSLContext context = context(order);
        StringJoiner done = new StringJoiner(", ", "[", "]");
        InetAddress here = InetAddress.getByName("127.0.0.1");
        try (ServerSocket listener = new ServerSocket(0, 5, here)) {
            listener.setSoTimeout(PATIENCE);
            say("{\"port\": " + listener.getLocalPort() + "}");
            for (int i = number(order, "connections"); i > 0; i--) {
                Socket raw = listener.accept();
                long before = moment();
                order += " \"port\": 0"; // unless there is one
                try (SSLSocket conn = wrap(context, raw, order)) {
                    byte[] got = read(conn, number(order, "size"));
                    conn.getOutputStream().write(got);
                    boolean closed = conn.getInputStream().read() < 0;
                    conn.shutdownOutput();
                    done.add(facts(conn, before, closed));
                }
            }
        }
        return done.toString();
    }

    static String connect(String order) throws Exception {
        SSLContext context = context(order);
        StringJoiner done = new StringJoiner(", ", "[", "]");
        byte[] data = new byte[number(order, "size")];
        for (int i = 0; i < data.length; i++)
            data[i] = (byte) (i * 31);
        for (int i = number(order, "connections"); i > 0; i--) {
            Socket raw = new Socket("127.0.0.1", number(order, "port"));
            long before = moment();
            try (SSLSocket conn = wrap(context, raw, order)) {
                conn.getOutputStream().write(data);
                if (!Arrays.equals(read(conn, data.length), data))
                    throw new SSLException("other data came back");
                conn.shutdownOutput();
                boolean closed = conn.getInputStream().read() < 0;
                done.add(facts(conn, before, closed));
            }
        }
        return done.toString();
    }

    static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(System.in));
        for (String o; (o = lines.readLine()) != null;) {
            String todo = get(o, "do");
            try {
                if (todo.equals("version"))
                    say("{\"version\": \"Java "
                        + System.getProperty("java.version") + "\"}");
                else
                    say("{\"done\": "
                        + (todo.equals("serve") ? serve(o) : connect(o))
                        + "}");
            } catch (Exception e) {
                String words = (e + " " + e.getCause())
                    .replaceAll("[\"\\\\\\p{Cntrl}]", " ");
                say("{\"error\": \"" + words + "\"}");
            }
        }
    }
}
