package supervise

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// commandInfo is a command as help shows it.
type commandInfo struct {
	name  string
	words string   // what stands after it
	text  string   // one line
	flags []string // those that it heeds; serviceFlags are what a start takes
	more  string   // for help COMMAND
}

// serviceFlags is in the place of all flags that say what runs, and how.
const serviceFlags = "…"

// builtinCommands is every command of the package, in the order of help.
func builtinCommands() []commandInfo {
	const dir = "run-dir"
	list := []commandInfo{
		{"start", "", "run in the foreground, or as a daemon with -d (the default command)", []string{serviceFlags, "d", "q", dir},
			`In the foreground it goes on trying while workers fail, and ends with 0 when it
was told to stop. With -d it returns when every worker is ready; where one fails
it says why and ends with 1, and the master goes on trying until PROG stop.
`},
		{"stop", "", "drain the workers and end; -g: without a deadline", []string{"g", "q", dir}, ""},
		{"restart", "", "stop, then run the program file anew; start if nothing runs", []string{serviceFlags, "d", "g", "q", dir},
			`The file is asked first whether it would start; where it would not, nothing is
stopped. Where it does not serve, the file before is run again.
A service that runs keeps the flags that it was started with.
`},
		{"reload", "", "replace the workers by the program file as it is now", []string{"q", dir}, ""},
		{"upgrade", "", "replace the master too, in place, then reload", []string{"q", dir}, ""},
		{"scale", "NAME=N", "change the number of workers of a program", []string{"q", dir}, "NAME N is the same as NAME=N.\n"},
		{"reopen-logs", "", "open the log file again, after a rotation", []string{"q", dir}, ""},
		{"status", "", "what runs, as tables or --json", []string{"json", "watch", dir},
			`Tables are as wide as the terminal, as COLUMNS says, or 80 columns; --json has
every figure. Exit code 0: all workers are ready; 1: some are not; 3: not running.
`},
		{"connections", "", "open connections", []string{"json", "program", "sort", dir}, ""},
		{"top", "", "status, again and again; q ends it", []string{dir}, ""},
		{"logs", "", "the last lines of the log; -f: and those that come", []string{"f", "n", dir}, ""},
		{"check", "", "say whether this command line would start, and what to change", []string{serviceFlags, "d", dir}, ""},
		{"version", "", "what the file was built from", nil, ""},
		{"help", "[COMMAND]", "this text, or that of a command", nil, ""},
		{"completion", "[bash|zsh|fish]", "a script for the shell", nil, ""},
	}
	return slices.DeleteFunc(list, func(c commandInfo) bool { return !hasCommand(c.name) })
}

// commands are the words of the command line, in the order of help.
func commands(o *Options) (names []string) {
	for _, c := range o.commandTable() {
		names = append(names, c.name)
	}
	return names
}

const helpExitCodes = `
exit codes
  0  done; status: running, all workers ready; check: it would start
  1  failed, and a line on standard error says of what; status: running, not all
     workers ready; check: it would not start
  2  wrong usage
  3  status, connections, logs, top: not running
`

// help prints the commands and flags, or those of one command.
func help(o *Options, c *config, w io.Writer) error {
	if len(c.args) > 0 {
		return helpCommand(o, c, c.args[0], w)
	}
	fmt.Fprintf(w, "usage: %s [COMMAND] [FLAGS]\n\ncommands (%s help COMMAND says more)\n", c.prog, c.prog)
	for _, info := range o.commandTable() {
		printHelp(w, "  ", strings.TrimSpace(info.name+" "+info.words), 14, info.text)
	}
	fmt.Fprintf(w, "\nflags (each also reads JAY_NAME, for example JAY_RUN_DIR)\n")
	if err := printFlags(o, c, w, nil); err != nil {
		return err
	}
	fmt.Fprint(w, "\nprograms\n")
	for _, s := range c.specs() {
		printHelp(w, "  ", s.Name, 14, strings.Join(s.Listen, " "))
	}
	fmt.Fprint(w, helpExitCodes)
	return nil
}

// helpCommand prints what there is to know of one command.
func helpCommand(o *Options, c *config, name string, w io.Writer) error {
	for _, info := range o.commandTable() {
		if info.name != name {
			continue
		}
		fmt.Fprintf(w, "usage: %s [FLAGS]\n\n%s\n", strings.TrimSpace(c.prog+" "+name+" "+info.words), info.text)
		if info.more != "" {
			printHelp(w, "", "", 0, strings.ReplaceAll(info.more, "PROG", c.prog))
		}
		if len(info.flags) > 0 {
			fmt.Fprintln(w, "\nflags")
			if err := printFlags(o, c, w, info.flags); err != nil {
				return err
			}
		}
		printHelp(w, "\n", "commands: ", 0, strings.Join(commands(o), " "))
		return nil
	}
	return usagef("help %s: unknown command%s", name, didYouMean(name, commands(o)))
}

// printFlags prints the flags that are named, or all.
func printFlags(o *Options, c *config, w io.Writer, names []string) error {
	fs, err := c.flagSet(o, &flagValues{})
	if err != nil {
		return err
	}
	special := specialFlags()
	fs.VisitAll(func(f *flag.Flag) {
		if !offered(o, f) || names != nil && !slices.Contains(names, f.Name) && (special[f.Name] || !slices.Contains(names, serviceFlags)) {
			return
		}
		value, usage := flag.UnquoteUsage(f)
		printHelp(w, "  ", strings.TrimSpace(dashes(f.Name)+" "+value), 24, usage)
	})
	return nil
}

// offered reports whether help and completion show a flag: it does something in this
// program.
func offered(o *Options, f *flag.Flag) bool {
	switch {
	case strings.HasPrefix(f.Name, "test."), f.Usage == noAdmin:
		return false
	case f.Name == "loop":
		return o.Loop != nil
	}
	return true
}

// loops is the usage of --loop: what this program resolves.
func loops(o *Options) string {
	names := []string{}
	for _, name := range []string{"auto", "epoll", "io_uring", "goroutine"} {
		if o.Loop == nil {
			break
		}
		if _, err := o.Loop(name); err == nil {
			names = append(names, name)
		}
	}
	return "`BACKEND` of the loops: " + strings.Join(names, ", ")
}

// helpWidth is that of what help prints.
const helpWidth = 80

// printHelp prints a name and a text beside it, which is broken where it is too long.
func printHelp(w io.Writer, lead, name string, width int, text string) {
	indent := len(strings.TrimPrefix(lead, "\n")) + max(width, len(name))
	if width > 0 {
		indent++
	}
	line := fmt.Sprintf("%s%-*s", lead, indent-len(strings.TrimPrefix(lead, "\n")), name)
	used := indent
	for _, word := range strings.Fields(text) {
		if used > indent && used+1+len(word) > helpWidth {
			fmt.Fprintln(w, line)
			line, used = strings.Repeat(" ", min(indent, 27)), min(indent, 27)
			line += word
			used += len(word)
			continue
		}
		if used > indent {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+len(word)
	}
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}

// completion prints a completion script for a shell.
func completion(o *Options, c *config, w io.Writer) error {
	words := commands(o)
	fs, err := c.flagSet(o, &flagValues{})
	if err != nil {
		return err
	}
	fs.VisitAll(func(f *flag.Flag) {
		if offered(o, f) {
			words = append(words, dashes(f.Name))
		}
	})
	shell := "bash"
	if len(c.args) > 0 {
		shell = c.args[0]
	}
	list := strings.Join(words, " ")
	switch shell {
	case "bash":
		fmt.Fprintf(w, "complete -W %q %s\n", list, c.prog)
	case "zsh":
		fmt.Fprintf(w, "#compdef %s\ncompdef '_arguments \"*: :(%s)\"' %s\n", c.prog, list, c.prog)
	case "fish":
		fmt.Fprintf(w, "complete -c %s -f -a %q\n", c.prog, list)
	default:
		return usagef("completion %s: write bash, zsh or fish", shell)
	}
	return nil
}
