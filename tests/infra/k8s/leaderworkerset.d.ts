// LeaderWorkerSet v1, as its API reference describes it (https://lws.sigs.k8s.io/docs/reference/leaderworkerset.v1/):
// kubernetes-models has no types for it. Pod templates are Kubernetes' own.
import { IPodTemplateSpec } from "kubernetes-models/v1/PodTemplateSpec";
import { IIoK8sApimachineryPkgApisMetaV1ObjectMeta } from "@kubernetes-models/apimachinery/apis/meta/v1/ObjectMeta";

export interface ILeaderWorkerSet {
  apiVersion: "leaderworkerset.x-k8s.io/v1";
  kind: "LeaderWorkerSet";
  metadata: IIoK8sApimachineryPkgApisMetaV1ObjectMeta;
  spec: {
    replicas?: number;
    startupPolicy?: "LeaderCreated" | "LeaderReady";
    networkConfig?: { subdomainPolicy: "Shared" | "UniquePerReplica" };
    rolloutStrategy?: {
      type: "RollingUpdate";
      rollingUpdateConfiguration?: {
        partition?: number;
        maxUnavailable?: number | string;
        maxSurge?: number | string;
      };
    };
    leaderWorkerTemplate: {
      size?: number;
      restartPolicy?: "Default" | "RecreateGroupOnPodRestart" | "None";
      leaderTemplate?: IPodTemplateSpec;
      workerTemplate: IPodTemplateSpec;
    };
  };
}
