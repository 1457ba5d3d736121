package supervise

import (
	"context"
	"errors"
	"flag"
	"strings"
	"testing"
)

func idle(name string) Program {
	return Program{Name: name, Count: 1, Run: func(context.Context, *Worker) error { return nil }}
}

func nothing(context.Context, Call) error { return nil }

// TestExtensionConflicts: what two want is an error at the start, whatever the
// command, and says who.
func TestExtensionConflicts(t *testing.T) {
	bus := func(change func(e *Extension)) Extension {
		e := Extension{
			Name:     "bus",
			Flags:    func(fs *flag.FlagSet) { fs.String("bus", "", "`URL` of the bus") },
			Commands: []Command{{Name: "publish", Usage: "send a message", Run: nothing}},
			Programs: func() ([]Program, error) { return []Program{idle("bus")}, nil },
		}
		change(&e)
		return e
	}
	for name, tt := range map[string]struct {
		second Extension
		want   string // "": it may be
	}{
		"none":                 {bus(func(e *Extension) { *e = Extension{Name: "admin"} }), ""},
		"a flag of ours":       {Extension{Name: "admin", Flags: func(fs *flag.FlagSet) { fs.Bool("listen", false, "") }}, "flag -listen is defined by the supervisor and by extension admin"},
		"--admin is free":      {Extension{Name: "admin", Flags: func(fs *flag.FlagSet) { fs.String("admin", "", "`ADDR`") }}, ""},
		"a flag of another":    {Extension{Name: "admin", Flags: func(fs *flag.FlagSet) { fs.Bool("bus", false, "") }}, "flag -bus is defined by extension bus and by extension admin"},
		"a flag of the tests":  {Extension{Name: "admin", Flags: func(fs *flag.FlagSet) { fs.Bool("test.v", false, "") }}, "flag -test.v is defined by extension admin and by the program"},
		"a command of ours":    {Extension{Name: "admin", Commands: []Command{{Name: "status", Run: nothing}}}, "extension admin: command status is defined by the supervisor already"},
		"a command of another": {Extension{Name: "admin", Commands: []Command{{Name: "publish", Run: nothing}}}, "extension admin: command publish is defined by extension bus already"},
		"no command":           {Extension{Name: "admin", Commands: []Command{{Name: "x"}}}, `extension admin: command "x" has no Run function`},
		"a flag for a command": {Extension{Commands: []Command{{Name: "-x", Run: nothing}}}, `extension without a name: command "-x"; use small letters`},
		"a program of ours":    {Extension{Name: "admin", Programs: func() ([]Program, error) { return []Program{idle("main")}, nil }}, "extension admin: a program is called main already"},
		"a program of another": {Extension{Name: "admin", Programs: func() ([]Program, error) { return []Program{idle("bus")}, nil }}, "extension admin: a program is called bus already"},
		"an error":             {Extension{Name: "admin", Programs: func() ([]Program, error) { return nil, errors.New("--admin x: write ADDR") }}, "extension admin: --admin x: write ADDR"},
		"a bad program":        {Extension{Name: "admin", Programs: func() ([]Program, error) { return []Program{{Name: "a=b"}}, nil }}, "program a=b: it has no Run function"},
	} {
		t.Run(name, func(t *testing.T) {
			o := &Options{Programs: []Program{idle("main")}, Extensions: []Extension{bus(func(*Extension) {}), tt.second}}
			for _, args := range [][]string{nil, {"status"}, {"publish", "x"}} {
				_, err := parseCommandLine(o, "x", args, func(string) (string, bool) { return "", false })
				var usage usageError
				switch {
				case tt.want == "" && err != nil:
					t.Errorf("%v: %v", args, err)
				case tt.want != "" && (!errors.As(err, &usage) || !strings.Contains(err.Error(), tt.want)):
					t.Errorf("%v: %v, want wrong usage: %s", args, err, tt.want)
				}
			}
		})
	}
}

// TestExtensionFlags are set from the command line or from the environment before
// programs are asked for, and the package's flags know these programs.
func TestExtensionFlags(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		env  string
		want string
	}{
		"nothing":             {nil, "", "main:1"},
		"the command line":    {[]string{"--admin", "a", "--workers", "admin=3"}, "", "main:1 admin-a:1"},
		"behind a command":    {[]string{"status", "--admin=b"}, "", "main:1 admin-b:1"},
		"the environment":     {nil, "c", "main:1 admin-c:1"},
		"both, the line wins": {[]string{"--admin=d"}, "c", "main:1 admin-d:1"},
		"a count":             {[]string{"--admin=d", "--workers", "admin-d=3"}, "", "main:1 admin-d:3"},
	} {
		t.Run(name, func(t *testing.T) {
			var addr string
			o := &Options{Programs: []Program{idle("main")}, Extensions: []Extension{{
				Name:  "admin",
				Flags: func(fs *flag.FlagSet) { fs.StringVar(&addr, "admin", "", "`ADDR`") },
				Programs: func() (list []Program, err error) {
					if addr != "" {
						list = append(list, idle("admin-"+addr))
					}
					return list, nil
				},
			}}}
			c, err := parseCommandLine(o, "x", tt.args, func(name string) (string, bool) { return tt.env, name == "JAY_ADMIN" })
			if name == "the command line" { // which names what is not there
				if err == nil || !strings.Contains(err.Error(), "did you mean admin-a?") {
					t.Errorf("--workers admin=3: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range c.specs() {
				got = append(got, s.Name+":"+string(rune('0'+s.Count)))
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("programs are %v, want %s", got, tt.want)
			}
		})
	}
}
