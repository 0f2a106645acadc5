# A found network as MMPretrain's classifier. Name the architecture and the extracted checkpoint in a child config.
model = dict(
    type='nasbnn_det.BinaryClassifier',
    backbone=dict(type='nasbnn_det.NASBNN'),
    neck=dict(type='mmpretrain.GlobalAveragePooling'),
    head=dict(
        type='nasbnn_det.SubnetClsHead',
        loss=dict(type='mmpretrain.CrossEntropyLoss', loss_weight=1.0),
        topk=(1, )))
