"""What `dockersweep --help` says; `tests/docs/test_man.py` holds it to the parser."""

HELP = """\
usage: dockersweep [-H URL | -c CONTEXT] [--policy FILE] [--format FORMAT]
                   [-o FILE] VERB ...

See what a Docker or Podman engine no longer needs, read why, remove just that.

verbs, in the order of use:
  scan        list unused objects, sizes, ages     dockersweep scan --sort age
  plan        what would be removed, kept, why     dockersweep plan --verbose
  sweep       plan, ask, then remove               dockersweep sweep --dry-run
  apply       carry out a saved plan               dockersweep apply plan.json
  report      disk usage, trend, what to fix       dockersweep report
  explain     why an object is kept, until when    dockersweep explain app:1
  history     what earlier runs did                dockersweep history 12
  policy      write, check, show, test policies    dockersweep policy show
  schema      the JSON Schema of a document        dockersweep schema plan
  completion  for bash, zsh and fish               dockersweep completion bash
  man         show the manual                      dockersweep man

flags of every verb:
  -H URL, --host URL   the engine: unix:///PATH or tcp://HOST:PORT
  -c CONTEXT, --context CONTEXT
                       the engine of a docker context, in place of -H
  --tlsverify, --tlscacert FILE, --tlscert FILE, --tlskey FILE
                       speak TLS on tcp://, with these files, as docker does
  --policy FILE        the policy file; - is standard input, the word `default`
                       the default policy, whatever files there are
  --format FORMAT      table, json, csv, markdown, html or prometheus, as far as
                       the verb has it
  -o FILE, --output FILE
                       write to FILE, replaced in one step
  -h, --help           show this; behind a verb, its flags
  --version            show the version

Nothing is removed but by `sweep`, after a yes or with --yes, and by `apply`.
`dockersweep VERB --help` shows the flags of a verb, `dockersweep man` the rest,
`dockersweep man dockersweep.toml` how to write a policy.
"""
