# syntax=docker/dockerfile:1
# The images of mlc_llm: one for production, one to develop in.
#
#   docker build -t mlc-llm:prod .                                           compiles from source, then packs: CPU
#   docker build --target dev -t mlc-llm:dev .                               every tool, Jupyter Lab, TensorBoard
#   docker build --build-arg CUDA_VERSION=12.1 -t mlc-llm:cuda12.1 .         and CUDA's libraries
#   docker build --build-arg BASE_IMAGE=rocm/pytorch:rocm6.1_ubuntu22.04 -t mlc-llm:rocm .
#   docker build --build-arg RUNTIME_PACKAGES="libvulkan1 mesa-vulkan-drivers" -t mlc-llm:vulkan .
#
# Stages: base -> deps -> builder -> wheel, test;  deps -> dev;  base -> gpu-libs;  RUNTIME_IMAGE -> prod (the default,
# so the last).
# docker/*.env are named sets of these arguments, docker-bake.hcl is their matrix, docs/deployment.md tells of both.
#
# It is kept within what BuildKit and buildah 1.28 share, so that `make test-images` needs no Docker engine.

# Debian 12 or Ubuntu 22.04 and newer. Compiling and running must be on the same distribution: the program uses its
# shared libraries. Change both together.
ARG BASE_IMAGE=debian:12.11-slim
ARG RUNTIME_IMAGE=${BASE_IMAGE}
# Where the program comes from: builder compiles it here; packed takes the tree that `cmake --install` wrote to
# build/packed (scripts/pack.sh), which is how tests get an image in seconds.
ARG PROGRAM=builder


# ---- base: what every stage that compiles has
FROM ${BASE_IMAGE} AS base
ENV LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive
WORKDIR /src


# ---- deps: compilers and libraries; changes only when their lists do
FROM base AS deps
COPY scripts/install_deps.sh scripts/
COPY docker/install_toolchain.sh docker/
RUN docker/install_toolchain.sh build && rm -rf /var/lib/apt/lists/*


# ---- builder: the program, installed to /opt/mlc_llm
FROM deps AS builder
# CCACHE_DIR may point to a mounted cache; nothing of it stays in the image.
ARG CCACHE_DIR=/root/.cache/ccache
COPY . .
RUN --mount=type=cache,target=/root/.cache/ccache --mount=type=cache,target=/root/.cargo/registry \
    CCACHE_DIR=${CCACHE_DIR} scripts/build.sh release mlc_llm mlc_llm_shared && scripts/pack.sh /opt/mlc_llm


# ---- packed: the same tree, from the build that is already there
FROM base AS packed
COPY build/packed /opt/mlc_llm


# ---- wheel: the Python package with everything in it, in /wheels
FROM builder AS wheel
ARG CCACHE_DIR=/root/.cache/ccache
RUN --mount=type=cache,target=/root/.cache/ccache --mount=type=cache,target=/root/.cargo/registry \
    scripts/install_deps.sh wheel && rm -rf /var/lib/apt/lists/* && CCACHE_DIR=${CCACHE_DIR} scripts/wheel.sh /wheels


# ---- test: fails to build when a unit test fails
FROM builder AS test
ARG CCACHE_DIR=/root/.cache/ccache
RUN scripts/install_deps.sh test && rm -rf /var/lib/apt/lists/*
RUN --mount=type=cache,target=/root/.cache/ccache --mount=type=cache,target=/root/.cargo/registry \
    CCACHE_DIR=${CCACHE_DIR} scripts/build.sh release all && python3 scripts/run_tests.py quick


# ---- gpu-libs: what CUDA_VERSION asks for; empty without it
FROM base AS gpu-libs
ARG CUDA_VERSION=
COPY docker/cuda_runtime.sh docker/cuda-versions.txt docker/
RUN mkdir -p /gpu-libs && if [ -n "${CUDA_VERSION}" ]; then \
      apt-get update -q && apt-get install -y -q --no-install-recommends python3-pip ca-certificates && \
      docker/cuda_runtime.sh install "${CUDA_VERSION}" /gpu-libs; fi


# ---- dev: the source is mounted at /workspace
FROM deps AS dev
# The user's id, so that files made in /workspace belong to whoever mounted it.
ARG DEV_UID=1000
COPY requirements-dev.txt ./
COPY scripts/ci/requirements.txt scripts/ci/
COPY docker/install_dev_tools.sh docker/
RUN scripts/install_deps.sh test && docker/install_dev_tools.sh "${DEV_UID}" && rm -rf /var/lib/apt/lists/* /src/*
COPY --from=gpu-libs /gpu-libs /opt/mlc_llm/lib/gpu
RUN echo /opt/mlc_llm/lib/gpu > /etc/ld.so.conf.d/mlc_llm.conf && ldconfig
COPY docker/dev-entrypoint.sh /usr/local/bin/dev-entrypoint.sh
ENV PATH=/opt/dev/bin:$PATH MLC_LLM_HOME=/home/mlc/.cache/mlc_llm NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics
USER ${DEV_UID}:${DEV_UID}
WORKDIR /workspace
# Jupyter Lab, TensorBoard, the API (`mlc_llm serve`)
EXPOSE 8888 6006 8000
ENTRYPOINT ["/usr/local/bin/dev-entrypoint.sh"]


# ---- the program's source, see PROGRAM above
FROM ${PROGRAM} AS program


# ---- prod: the program, the libraries that it names, a demo model
FROM ${RUNTIME_IMAGE} AS prod
ARG RUNTIME_PACKAGES=
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
# Accepted for `--build-arg BUILDKIT_INLINE_CACHE=1`, which tells BuildKit to write its cache into the image.
ARG BUILDKIT_INLINE_CACHE=0
COPY --from=program /opt/mlc_llm /opt/mlc_llm
COPY --from=gpu-libs /gpu-libs /opt/mlc_llm/lib/gpu
COPY docker/entrypoint.sh docker/install_runtime.sh /opt/mlc_llm/bin/
RUN DEBIAN_FRONTEND=noninteractive /opt/mlc_llm/bin/install_runtime.sh ${RUNTIME_PACKAGES} && rm /opt/mlc_llm/bin/install_runtime.sh
# Any user id works; group 0 may write what the image's own user may, as OpenShift wants it.
ENV PATH=/opt/mlc_llm/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    HOME=/home/mlc \
    MLC_LLM_HOME=/var/cache/mlc_llm \
    MLC_MODEL_PATH=/opt/mlc_llm/share/mlc_llm/models/demo \
    MLC_LLM_SERVE_HOST=0.0.0.0 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics
LABEL org.opencontainers.image.title="mlc-llm" \
      org.opencontainers.image.description="Universal LLM deployment engine with ML compilation: compiles and serves language models" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/mlc-ai/mlc-llm" \
      org.opencontainers.image.documentation="https://github.com/mlc-ai/mlc-llm/blob/main/docs/deployment.md" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
USER 10001:0
WORKDIR /home/mlc
EXPOSE 8000
STOPSIGNAL SIGTERM
# The first start compiles the model, so that much time is given before a failure counts.
HEALTHCHECK --interval=15s --timeout=6s --start-period=300s --retries=3 CMD ["/opt/mlc_llm/bin/mlc_llm", "health"]
ENTRYPOINT ["/opt/mlc_llm/bin/entrypoint.sh"]
CMD ["serve"]
