# Every image, as a matrix: docker buildx bake [prod | dev | multi | TARGET]; --print shows what would be built.
# The arguments of each variant are those of docker/*.env; a test compares them.
variable "REGISTRY" { default = "" }
variable "IMAGE_NAME" { default = "mlc-llm" }
variable "VERSION" { default = "0.1.0" }
variable "REVISION" { default = "unknown" }
variable "CREATED" { default = "unknown" }

variable "VARIANTS" {
  default = {
    cpu    = { base = "debian:12.11-slim", cuda = "", packages = "" }
    cuda   = { base = "debian:12.11-slim", cuda = "12.4", packages = "" }
    rocm   = { base = "rocm/pytorch:rocm6.1_ubuntu22.04_py3.10_pytorch_2.1.2", cuda = "", packages = "" }
    vulkan = { base = "debian:12.11-slim", cuda = "", packages = "libvulkan1 mesa-vulkan-drivers" }
  }
}

group "default" { targets = ["prod-cpu"] }

target "common" {
  context    = "."
  dockerfile = "Dockerfile"
  args = {
    VERSION  = VERSION
    REVISION = REVISION
    CREATED  = CREATED
  }
}

target "prod" {
  name     = "prod-${variant}"
  inherits = ["common"]
  matrix   = { variant = ["cpu", "cuda", "rocm", "vulkan"] }
  target   = "prod"
  tags = compact([
    "${REGISTRY}${IMAGE_NAME}:prod-${variant}",
    variant == "cpu" ? "${REGISTRY}${IMAGE_NAME}:prod" : "",
    variant == "cpu" ? "${REGISTRY}${IMAGE_NAME}:latest" : "",
  ])
  args = {
    BASE_IMAGE       = VARIANTS[variant].base
    CUDA_VERSION     = VARIANTS[variant].cuda
    RUNTIME_PACKAGES = VARIANTS[variant].packages
  }
}

target "dev" {
  inherits = ["common"]
  target   = "dev"
  tags     = ["${REGISTRY}${IMAGE_NAME}:dev", "${REGISTRY}${IMAGE_NAME}:latest-dev"]
}

# arm64 has no GPU variant and is experimental (docs/deviations.md).
target "multi" {
  inherits  = ["prod-cpu"]
  platforms = ["linux/amd64", "linux/arm64"]
}
