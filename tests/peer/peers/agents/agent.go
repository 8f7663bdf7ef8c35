// An agent on crypto/tls of Go; common.py tells what an agent does.
//
// A program without a module gets the defaults of an older Go.
//
//go:debug tlsmlkem=1
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"time"
)

const patience = 10 * time.Second

type order struct {
	Do, Version, Scenario, Host, Cert, Key, Ca string
	Group, First                               string
	Number                                     uint16
	Size, Connections, Port                    int
	ClientAuth                                 bool `json:"client_auth"`
}

type facts map[string]any

var curves = map[string]tls.CurveID{
	"X25519": tls.X25519, "P-256": tls.CurveP256, "P-384": tls.CurveP384,
	"P-521": tls.CurveP521, "X25519MLKEM768": tls.X25519MLKEM768,
}

func config(o order) (*tls.Config, error) {
	pem, err := os.ReadFile(o.Ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	version := map[string]uint16{
		"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13,
	}[o.Version]
	c := &tls.Config{
		MinVersion: version, MaxVersion: version, RootCAs: roots,
		ServerName: o.Host, ClientCAs: roots,
		ClientSessionCache: tls.NewLRUClientSessionCache(8),
	}
	if o.Version == "1.2" {
		c.CipherSuites = []uint16{o.Number}
	}
	if o.Do == "serve" && (o.Version == "1.2" || o.Scenario == "retry") {
		c.CurvePreferences = []tls.CurveID{curves[o.Group]}
	}
	if o.Do == "connect" && o.Scenario == "retry" {
		c.CurvePreferences = []tls.CurveID{curves[o.First], curves[o.Group]}
	}
	if o.Do == "serve" && o.ClientAuth {
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if o.Cert != "" {
		own, err := tls.LoadX509KeyPair(o.Cert, o.Key)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{own}
	}
	return c, nil
}

func state(conn *tls.Conn) facts {
	s := conn.ConnectionState()
	f := facts{
		"version": map[uint16]string{
			tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3",
		}[s.Version],
		"suite": s.CipherSuite, "reused": s.DidResume,
	}
	if len(s.PeerCertificates) > 0 {
		f["shown"] = hex.EncodeToString(s.PeerCertificates[0].Raw)
	}
	return f
}

// end sends close_notify and tells whether the peer's comes.
func end(conn *tls.Conn) bool {
	if conn.CloseWrite() != nil {
		return false
	}
	_, err := conn.Read(make([]byte, 1))
	return err == io.EOF
}

func serve(o order) ([]facts, error) {
	c, err := config(o)
	if err != nil {
		return nil, err
	}
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{
		IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	listener.SetDeadline(time.Now().Add(patience))
	say(facts{"port": listener.Addr().(*net.TCPAddr).Port})
	var done []facts
	for i := 0; i < o.Connections; i++ {
		raw, err := listener.Accept()
		if err != nil {
			return nil, err
		}
		defer raw.Close()
		raw.SetDeadline(time.Now().Add(patience))
		conn := tls.Server(raw, c)
		got := make([]byte, o.Size)
		if _, err = io.ReadFull(conn, got); err != nil {
			return nil, err
		}
		if _, err = conn.Write(got); err != nil {
			return nil, err
		}
		f := state(conn)
		_, err = conn.Read(make([]byte, 1))
		f["closed"] = err == io.EOF
		conn.CloseWrite()
		done = append(done, f)
	}
	return done, nil
}

func connect(o order) ([]facts, error) {
	c, err := config(o)
	if err != nil {
		return nil, err
	}
	var done []facts
	for i := 0; i < o.Connections; i++ {
		address := fmt.Sprintf("127.0.0.1:%d", o.Port)
		raw, err := net.DialTimeout("tcp", address, patience)
		if err != nil {
			return nil, err
		}
		defer raw.Close()
		raw.SetDeadline(time.Now().Add(patience))
		conn := tls.Client(raw, c)
		data := bytes.Repeat([]byte("0123456789abcdef"), o.Size/16+1)[:o.Size]
		if _, err = conn.Write(data); err != nil {
			return nil, err
		}
		got := make([]byte, o.Size)
		if _, err = io.ReadFull(conn, got); err != nil {
			return nil, err
		}
		f := state(conn)
		f["echo"] = bytes.Equal(got, data)
		f["closed"] = end(conn)
		done = append(done, f)
	}
	return done, nil
}

func say(words facts) {
	line, _ := json.Marshal(words)
	fmt.Printf("%s\n", line)
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var o order
		if err = json.Unmarshal(line, &o); err != nil {
			say(facts{"error": err.Error()})
			continue
		}
		if o.Do == "version" {
			say(facts{"version": runtime.Version()})
			continue
		}
		work := map[string]func(order) ([]facts, error){
			"serve": serve, "connect": connect}[o.Do]
		if done, err := work(o); err != nil {
			say(facts{"error": err.Error()})
		} else {
			say(facts{"done": done})
		}
	}
}
