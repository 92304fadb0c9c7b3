// A gRPC peer that calls and serves, and does either when it is told so over HTTP:
//
//	grpcpeer CONTROL_ADDRESS
//
//	GET /serve?address=A&identity=I        answers every call on A with I
//	GET /serve_xds?address=A&identity=I    the same, once the control plane has sent A's listener (gRFC A36)
//	GET /call?target=T&count=N&seconds=S   N calls one after another, each S seconds at most; who answered, how often
//	GET /forget?target=T                   closes the channel to T, so that the next call starts anew
//	GET /hold?target=T                     one call that is answered when its server is told /release; who answered
//	GET /held                              how many such calls wait here
//	GET /release                           answers them
//	GET /version                           the version of the library
//
// The bootstrap is in GRPC_XDS_BOOTSTRAP_CONFIG.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/xds"
)

const (
	method     = "/isthmus.test.Peer/Who"
	heldMethod = "/isthmus.test.Peer/Wait"
	maxCalls   = 100_000
	holdLimit  = time.Minute
)

// raw passes bytes through as they are, so that no generated code is needed.
type raw struct{}

func (raw) Marshal(value any) ([]byte, error) { return *value.(*[]byte), nil }

func (raw) Unmarshal(data []byte, value any) error {
	*value.(*[]byte) = append([]byte(nil), data...)
	return nil
}

func (raw) Name() string { return "proto" }

type peer struct {
	lock     sync.Mutex
	channels map[string]*grpc.ClientConn
	held     atomic.Int64
	released chan struct{}
	release  func()
}

func main() {
	p := &peer{channels: map[string]*grpc.ClientConn{}, released: make(chan struct{})}
	p.release = sync.OnceFunc(func() { close(p.released) })
	handle := func(path string, do func(url.Values) (any, error)) {
		http.HandleFunc(path, func(writer http.ResponseWriter, request *http.Request) {
			result, err := do(request.URL.Query())
			if err != nil {
				writer.WriteHeader(http.StatusInternalServerError)
				result = map[string]string{"error": err.Error()}
			}
			_ = json.NewEncoder(writer).Encode(result)
		})
	}
	handle("/serve", func(query url.Values) (any, error) { return p.serve(query, false) })
	handle("/serve_xds", func(query url.Values) (any, error) { return p.serve(query, true) })
	handle("/call", p.call)
	handle("/forget", p.forget)
	handle("/hold", p.hold)
	handle("/held", func(url.Values) (any, error) { return map[string]int64{"held": p.held.Load()}, nil })
	handle("/release", func(url.Values) (any, error) {
		p.release()
		return map[string]int{}, nil
	})
	handle("/version", func(url.Values) (any, error) { return map[string]int{"grpc-go " + grpc.Version: 1}, nil })
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}

func (p *peer) channel(target string) (*grpc.ClientConn, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if channel, ok := p.channels[target]; ok {
		return channel, nil
	}
	channel, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	if err == nil {
		p.channels[target] = channel
	}
	return channel, err
}

func (p *peer) call(query url.Values) (any, error) {
	channel, err := p.channel(query.Get("target"))
	if err != nil {
		return nil, err
	}
	count, err := strconv.Atoi(query.Get("count"))
	if err != nil {
		return nil, err
	}
	seconds, err := strconv.ParseFloat(query.Get("seconds"), 64)
	if err != nil {
		return nil, err
	}
	answers := map[string]int{}
	for range min(count, maxCalls) {
		answers[one(channel, method, time.Duration(seconds*float64(time.Second)))]++
	}
	return answers, nil
}

func (p *peer) hold(query url.Values) (any, error) {
	channel, err := p.channel(query.Get("target"))
	if err != nil {
		return nil, err
	}
	return map[string]int{one(channel, heldMethod, holdLimit): 1}, nil
}

func one(channel *grpc.ClientConn, method string, limit time.Duration) string {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var request, answer []byte
	if err := channel.Invoke(ctx, method, &request, &answer); err != nil {
		return fmt.Sprintf("%s: %s", codeName(status.Code(err)), status.Convert(err).Message())
	}
	return string(answer)
}

// codeName spells a code as the specification and every other language does.
func codeName(code codes.Code) string {
	names := map[codes.Code]string{codes.Unavailable: "UNAVAILABLE", codes.DeadlineExceeded: "DEADLINE_EXCEEDED"}
	if name, ok := names[code]; ok {
		return name
	}
	return code.String()
}

func (p *peer) forget(query url.Values) (any, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	target := query.Get("target")
	if channel, ok := p.channels[target]; ok {
		delete(p.channels, target)
		return map[string]int{}, channel.Close()
	}
	return map[string]int{}, nil
}

type registrar interface {
	Serve(net.Listener) error
}

func (p *peer) serve(query url.Values, overXDS bool) (any, error) {
	listener, err := net.Listen("tcp", query.Get("address"))
	if err != nil {
		return nil, err
	}
	answer := []byte(query.Get("identity"))
	who := grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		var request []byte
		if err := stream.RecvMsg(&request); err != nil {
			return err
		}
		if name, _ := grpc.MethodFromServerStream(stream); name == heldMethod {
			p.held.Add(1)
			select {
			case <-p.released:
			case <-stream.Context().Done():
			}
		}
		return stream.SendMsg(&answer)
	})
	var server registrar = grpc.NewServer(who, grpc.ForceServerCodec(raw{}))
	if overXDS {
		changed := xds.ServingModeCallback(func(at net.Addr, change xds.ServingModeChangeArgs) {
			log.Printf("%s is %s: %v", at, change.Mode, change.Err)
		})
		server, err = xds.NewGRPCServer(who, grpc.ForceServerCodec(raw{}), changed)
		if err != nil {
			return nil, err
		}
	}
	go func() { log.Printf("%s ended: %v", listener.Addr(), server.Serve(listener)) }()
	return map[string]int{}, nil
}
