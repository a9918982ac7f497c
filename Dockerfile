FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build

FROM node:24-slim
ENV NODE_ENV=production
COPY package.json LICENSE /app/
COPY --from=dependencies /app/node_modules /app/node_modules
COPY --from=build /app/dist /app/dist
# By number: a cluster that demands a non-root user cannot resolve names.
USER 1000:1000
EXPOSE 4483
ENTRYPOINT ["node", "/app/dist/cli/main.js"]
CMD ["serve", "--config=/etc/vmcp-config/config.yaml", "--host=0.0.0.0", "--port=4483"]
