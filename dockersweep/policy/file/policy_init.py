"""The policy file that `policy init` writes: the default policy, with every line explained, and examples."""


def default_policy_text() -> str:
    """Return the default policy as a file. A comment is "# words"; what can be uncommented begins with "#" alone."""
    return _TEXT


_TEXT = """\
#:schema ./dockersweep.policy.schema.json
# The line above tells editors (Even Better TOML, taplo) which keys there are. This makes the file that it names:
#     dockersweep schema policy -o dockersweep.policy.schema.json
#
# This is the policy that dockersweep follows without a file. What no rule removes is kept, and what is in use is never
# removed, whatever stands here. dockersweep.toml(5) tells all keys; `dockersweep policy check` checks this file, and
# `dockersweep plan` shows what it would remove. To use a line
# below that begins with "#" and no space, take the "#" away.

# The version of this language.
version = 1

# What is never removed, whatever a rule says. A name may be a glob, or a /regular expression/.
#[protect]
# Labels of whatever kind, KEY or KEY=VALUE.
#labels = ["keep", "env=prod"]
# Names of containers, volumes and networks, and tags of images.
#names = ["prod-*", "/^db-[0-9]+$/"]
# Repositories, tags, digests or ids of images.
#images = ["registry.example.com/base/*", "*:stable"]
# Compose projects, with all that is theirs.
#projects = ["billing"]
# Services of a swarm, with the images, volumes and networks that they use.
#services = "db-*"
# On a node of a swarm that does not see its services, a worker, what they may use stays: named volumes, overlay
# networks, and images that cannot be pulled again. This lets rules remove them:
#unseen_services = false
# Nothing younger goes, and nothing of unknown age. Units: s, m, h, d, w, mo (months), y.
#younger_than = "1h"

# Checked before anything is removed: over one of these nothing is, and the exit status is 4.
#[limits]
# So many objects, of all kinds together.
#objects = 500
# So many bytes would come back.
#bytes = "200GB"
# So large a share of all objects of a kind.
#share = "60%"

# Rules are judged in the order in which they stand here. What a rule keeps is kept, whatever the others say.
[[rule]]
# What the output calls the rule.
name = "stopped containers"
# container, image, volume, network or build-cache; or a list of them.
kind = "container"
# What the rule speaks of: of the values of a key any may hold, and all keys must.
match.state = ["created", "exited", "dead"]
# Not those that the engine starts again by itself: restart policy always or unless-stopped, or on-failure after a
# failure, docker stop included.
match.restarts_by_itself = false
# Stopped a day ago; one that never started was created a day ago.
remove.older_than = "24h"

[[rule]]
name = "dangling images"
kind = "image"
# Without a tag, and no other image or container needs it.
match.tagged = false
# Last used, or come to this engine, a day ago. The date of the build is no age.
remove.older_than = "24h"

[[rule]]
name = "anonymous volumes"
kind = "volume"
# Nobody gave them a name: the engine made them for a container that is gone.
match.anonymous = true
# Their data lies on this machine,
match.driver = "local"
# in the engine's own folder and not behind a mount option.
match.has_options = false
# Last used, or created, a day ago.
remove.older_than = "24h"

[[rule]]
name = "unused networks"
# No match: the rule speaks of all networks. Those that the engine made for itself are never removed.
kind = "network"
# No container has named it for a day.
remove.older_than = "24h"

[[rule]]
name = "old build cache"
kind = "build-cache"
# No build has used it for a week.
remove.older_than = "7d"

# An example: of each repository the newest five releases stay, and all of the last month before the newest.
#[[rule]]
#name = "old releases"
#kind = "image"
# The repository, without the tag.
#match.repository = "registry.example.com/app"
# Nothing that somebody marked, even where all the rest fits.
#not.labels = ["pinned"]
# The newest five of each repository,
#keep.last = 5
# those built at most 30 days before the newest of them,
#keep.within = "30d"
# those with such a tag,
#keep.tags = ["v*.0.0"]
# and the newest patch of each of the last three minor versions: any one of these is enough to stay.
#keep.minors = 3
# The rest goes when nothing has used it for two weeks.
#remove.unused_for = "14d"

# Space that must be free: when it is short, what no rule removes goes as well, the least recently used first.
#[target]
# Begin when more of the engine's disk is used; "120GB" would count what the engine holds.
#start_above = "85%"
# End when no more than this is used.
#stop_below = "70%"
# The kinds that may go, one after the other.
#order = ["build-cache", "image"]
# Images that cannot be pulled again go last; "never" spares them altogether.
#spare_registry_less = true
# Nothing younger goes for space.
#older_than = "1h"

# What `dockersweep report` finds has ids; these are not told, and do not count for --fail-on.
#[report]
#silence = ["DS003", "DS014"]
"""
