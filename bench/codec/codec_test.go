package codec_test

import (
	"testing"

	"github.com/jay-go/jay/bench/codec"
)

func BenchmarkParse(b *testing.B)     { run(b, codec.Parsers(), len(codec.Request)) }
func BenchmarkSerialise(b *testing.B) { run(b, codec.Serialisers(), 0) }
func BenchmarkFields(b *testing.B)    { run(b, codec.FieldSerialisers(), 0) }

func run(b *testing.B, all []codec.Implementation, bytes int) {
	for _, impl := range all {
		b.Run(impl.Name, func(b *testing.B) {
			once := impl.New()
			b.SetBytes(int64(bytes))
			b.ReportAllocs()
			for b.Loop() {
				if err := once(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestOnce: what is compared works, and jay's part allocates nothing.
func TestOnce(t *testing.T) {
	for name, all := range map[string][]codec.Implementation{
		"parse": codec.Parsers(), "serialise": codec.Serialisers(), "fields": codec.FieldSerialisers(),
	} {
		for _, impl := range all {
			t.Run(name+" "+impl.Name, func(t *testing.T) {
				once := impl.New()
				for range 2 {
					if err := once(); err != nil {
						t.Fatal(err)
					}
				}
				if n := testing.AllocsPerRun(100, func() { once() }); impl.Name == "jay" && n > 0 {
					t.Errorf("%v allocations", n)
				}
			})
		}
	}
}
