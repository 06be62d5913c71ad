# syntax=docker/dockerfile:1
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.mjs scripts/
COPY src src
RUN npm run build

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="warden" org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
COPY --from=dependencies /app/node_modules /app/node_modules
COPY --from=build /app/dist /app/dist
COPY package.json LICENSE /app/
COPY bin /app/bin
COPY config /app/config
COPY deploy/healthcheck.mjs /app/deploy/
RUN install -d -o 1000 -g 1000 /data
# Nothing is written outside /data: the root may be read-only. Relative paths of `warden demo` start here.
WORKDIR /data
VOLUME /data
USER 1000:1000
EXPOSE 4280
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "/app/deploy/healthcheck.mjs"]
# SIGTERM: a last checkpoint, then exit 0. Give it longer than `shutdown.timeout` (30 s) before SIGKILL.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "/app/bin/warden.js"]
CMD ["run", "-c", "/etc/warden/warden.yaml"]
