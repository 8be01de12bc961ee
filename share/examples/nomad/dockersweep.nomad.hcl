# Sweeps the Docker engine of every client of the data center, every night. Not run: there was no cluster to try it on.
#
# The image is built by share/container/Containerfile. The docker driver has to allow volumes of the host.
# Look first, as root on each client: `docker run -it` of the image with these two volumes and `plan`. A sweep that nobody
# watches is refused where nobody has looked and more than half of a kind would go.
job "dockersweep" {
  type        = "sysbatch"
  datacenters = ["dc1"]

  periodic {
    crons            = ["17 4 * * *"]
    prohibit_overlap = true
  }

  group "dockersweep" {
    restart {
      attempts = 0
      mode     = "fail"
    }

    task "sweep" {
      driver = "docker"

      config {
        image           = "dockersweep:0.1.0"
        args            = ["sweep", "--yes", "--older-than", "3d"]
        readonly_rootfs = true
        volumes = [
          "/var/run/docker.sock:/var/run/docker.sock",
          "/var/lib/dockersweep:/var/lib/dockersweep",
        ]
      }
    }
  }
}
